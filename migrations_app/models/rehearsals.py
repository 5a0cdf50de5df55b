"""Rehearsals: a plan's revisions tried on a copy of a target's schema, and what was found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import Any, Self

from django.db import IntegrityError, models, transaction
from django.db.models import Q
from django.db.models.functions import Now

from migrations_app.engines import digest, history
from migrations_app.engines.risk.rehearsed import Rehearsal as Rehearsed
from migrations_app.engines.risk.rehearsed import RehearsedRevision
from migrations_app.engines.runner.launch import Launch
from migrations_app.models.revisions import Bundle
from migrations_app.models.rows import LeasedRow, LeaseQuerySet, StatusRow, new_id
from migrations_app.models.status import REHEARSAL_EDGES, REHEARSAL_FINAL, RehearsalStatus
from migrations_app.models.targets import Target


class RehearsalQuerySet(LeaseQuerySet):
    def listed(self) -> Self:
        """Rehearsals with what a list shows of them, newest first; not what they recorded, which may be long."""
        return self.select_related("target", "bundle__project").defer("result", "bundle__archive").order_by("-id")

    def due(self) -> Self:
        """Those with something to do now, on which nobody works."""
        is_time = Q(not_before__isnull=True) | Q(not_before__lt=Now())
        return self.unleased().filter(is_time, status__in=(RehearsalStatus.WAITING, RehearsalStatus.RUNNING))

    def holding(
        self, bundle: Bundle, recipe: str, *, fingerprint: str, from_heads: Sequence[str], revisions: Sequence[str]
    ) -> Rehearsal | None:
        """The newest that has tried these revisions, from there, on such a schema; it may have gone on further.

        Whose schema was copied does not matter: an equal fingerprint is an equal schema.
        """
        place = {"bundle": bundle, "recipe": recipe, "fingerprint": fingerprint, "from_heads": sorted(from_heads)}
        rows = self.filter(**place, is_superseded=False)
        wanted = list(revisions)
        # The columns that decide first: what was recorded may be megabytes.
        found = rows.filter(status=RehearsalStatus.DONE).order_by("-id").values_list("pk", "revisions")
        pk = next((pk for pk, tried in found if tried[: len(wanted)] == wanted), None)
        return self.filter(pk=pk).first() if pk else None

    def wanted(
        self,
        target: Target,
        bundle: Bundle,
        recipe: str,
        *,
        fingerprint: str,
        from_heads: Sequence[str],
        revisions: Sequence[str],
    ) -> tuple[Rehearsal, bool]:
        """The one of exactly this that holds or is on its way, and False; or a new one, and True.

        One that failed, or in which a revision did not go through, is kept and no longer holds: it is done again.
        """
        inputs = {"bundle": bundle.pk, "recipe": recipe, "fingerprint": fingerprint}
        key = digest.of({**inputs, "from": sorted(from_heads), "revisions": list(revisions)})
        with transaction.atomic():
            known = self.select_for_update().filter(key=key, is_superseded=False).first()
            if known is not None and not known.is_worth_repeating:
                return known, False
            self.filter(key=key, is_superseded=False).update(is_superseded=True)
            row = Rehearsal(
                key=key,
                bundle=bundle,
                target=target,
                recipe=recipe,
                fingerprint=fingerprint,
                from_heads=sorted(from_heads),
                to_heads=_heads_after(bundle, from_heads, revisions),
                revisions=list(revisions),
                reason="waits for a worker",
            )
            try:
                with transaction.atomic():
                    row.save(force_insert=True)
            except IntegrityError:  # asked twice in the same moment
                return self.get(key=key, is_superseded=False), False
        row.refresh_from_db()  # times were set by the database's clock
        return row, True


class Rehearsal(StatusRow, LeasedRow):
    """One list of revisions, tried up, down and up again on a copy of one target's schema. Once it has ended it stays.

    It holds for every plan of the same revisions from the same heads, out of the same files and recipe, on the same
    schema: `key` is the hash of these. One that ended badly is superseded when the same is asked again.
    """

    EDGES = REHEARSAL_EDGES

    id = models.CharField(primary_key=True, max_length=40, default=partial(new_id, "reh"))
    key = models.CharField(max_length=80)
    is_superseded = models.BooleanField(default=False)
    bundle = models.ForeignKey(Bundle, on_delete=models.PROTECT, related_name="rehearsals")
    target = models.ForeignKey(Target, on_delete=models.CASCADE, related_name="rehearsals")
    recipe = models.CharField(max_length=80, help_text="hash of how the project is started")
    fingerprint = models.CharField(max_length=64, help_text="of the schema that is copied")
    from_heads = models.JSONField(default=list)
    to_heads = models.JSONField(default=list)
    revisions = models.JSONField(default=list, help_text="in order of execution")
    status = models.CharField(max_length=20, choices=RehearsalStatus.choices, default=RehearsalStatus.WAITING)
    result = models.JSONField(null=True, help_text="engines/risk/rehearsed.py")
    digest = models.CharField(max_length=80, blank=True, default="", help_text="of the result, times left out")
    server_version = models.PositiveIntegerField(null=True, help_text="of the scratch server")
    notes = models.JSONField(default=list, help_text="what the copy lacks, and what was not tried")
    duration_s = models.FloatField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    not_before = models.DateTimeField(null=True, help_text="when it is tried again")
    created_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = RehearsalQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["target", "-id"], name="rehearsal_by_target")]
        constraints = [
            models.UniqueConstraint(fields=["key"], condition=Q(is_superseded=False), name="rehearsal_once_per_plan")
        ]

    def __str__(self) -> str:
        return f"{self.pk} of {self.target}"

    @property
    def is_final(self) -> bool:
        return self.status in REHEARSAL_FINAL

    @property
    def is_worth_repeating(self) -> bool:
        """It ended, and not well: what was in its way may be mended."""
        return self.status == RehearsalStatus.FAILED or bool(self.refusal(self.revisions))

    @cached_property
    def found(self) -> Rehearsed | None:
        """What it saw; None until it is done."""
        return Rehearsed.from_json(self.result) if self.result else None

    def of(self, revision: str, *, server_version: int | None = None) -> RehearsedRevision | None:
        """What it saw of this revision, as far as that holds on a target of this version (as server_version_num)."""
        seen = self.found.by_id.get(revision) if self.found else None
        tried = (self.server_version or 0) // 10_000
        if seen is None or server_version is None or server_version // 10_000 == tried:
            return seen
        why = f"it was rehearsed on PostgreSQL {tried}, and code may do other things on {server_version // 10_000}"
        return replace(seen, resolved=False, why_not=seen.why_not or why)

    def refusal(self, revisions: Sequence[str]) -> str:
        """Why not all of these went through, in words; "" when they did, or nothing is known yet."""
        for each in self.found.revisions if self.found else ():
            if each.revision in revisions and each.up_error is not None:
                return f"revision {each.revision} fails on a copy of {self.target}'s schema: {each.up_error}"
        return ""


def recipe_of(launch: Mapping[str, Any]) -> str:
    """The hash of how a project is started: another -x argument or hook may run other statements."""
    return digest.of({"launch": Launch.from_json(launch).to_json()})


def _heads_after(bundle: Bundle, from_heads: Sequence[str], revisions: Sequence[str]) -> list[str]:
    parents = bundle.parents()
    return sorted(history.heads(parents, history.applied(parents, from_heads) | set(revisions)))
