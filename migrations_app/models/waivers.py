"""Waivers: a reviewer's word, with a reason and an end, that one finding needs no approval any more."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Self

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from migrations_app.engines import policy
from migrations_app.engines.risk import waivers
from migrations_app.models.access import User
from migrations_app.models.revisions import Project, Revision
from migrations_app.models.rollouts import Rollout, Step
from migrations_app.models.rows import new_id
from migrations_app.models.targets import Environment, Target

STATES = ("active", "expired", "revoked")


class WaiverQuerySet(models.QuerySet["Waiver"]):
    def listed(self) -> Self:
        """Waivers with what a list shows of them, newest first."""
        return self.select_related("project", "environment", "created_by", "revoked_by").order_by("-id")

    def in_state(self, state: str) -> Self:
        """active, expired or revoked: by the database's clock, since nobody moves a waiver that runs out."""
        if state == "revoked":
            return self.filter(revoked_at__isnull=False)
        ran_out = Q(expires_at__lte=Now())
        return self.filter(ran_out if state == "expired" else ~ran_out, revoked_at__isnull=True)


class Waiver(models.Model):
    """One person's waiver of one finding. Never deleted, and nothing in it changes but that it is revoked, once.

    `subject` (engines/risk/waivers.py) binds it to the bytes of the revision. What it says of the finding is a copy
    for readers.
    """

    id = models.CharField(primary_key=True, max_length=40, default=partial(new_id, "wai"))
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="waivers")
    environment = models.ForeignKey(
        Environment, on_delete=models.PROTECT, null=True, blank=True, related_name="waivers", help_text="null: all"
    )
    revision = models.CharField(max_length=200)
    rule = models.CharField(max_length=100)
    subject = models.CharField(max_length=64)
    message = models.TextField(help_text="what the finding said")
    statement = models.TextField(blank=True, default="", help_text="its beginning; empty for a whole revision")
    reason = models.TextField()
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="waivers")
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    revoked_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    revoke_reason = models.TextField(blank=True, default="")

    objects = WaiverQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["project", "subject"], name="waiver_by_subject")]
        constraints = [
            models.CheckConstraint(
                condition=Q(revoked_at__isnull=True, revoked_by__isnull=True)
                | Q(revoked_at__isnull=False, revoked_by__isnull=False),
                name="waiver_revoked_by_somebody",
            )
        ]

    def __str__(self) -> str:
        return f"{self.rule} in {self.revision}"

    @property
    def state(self) -> str:
        if self.revoked_at is not None:
            return "revoked"
        return "active" if self.expires_at > timezone.now() else "expired"

    def plain(self) -> waivers.Accepted:
        return waivers.Accepted(
            self.pk, self.subject, self.created_by.get_username(), self.reason, expires_at=self.expires_at
        )


def that_count(target: Target, *, author_id: int | None, revisions: Sequence[str]) -> list[waivers.Accepted]:
    """What may speak for the target: waivers that hold there now, by others than the author who may approve there."""
    here = Q(environment=target.environment) | Q(environment__isnull=True)
    rows = Waiver.objects.in_state("active").filter(here, project=target.project, revision__in=revisions)
    found = rows.exclude(created_by_id=author_id).select_related("created_by")
    return [row.plain() for row in found if _may_waive(row.created_by, target.environment)]


def people_needed(environment: Environment) -> int:
    """How many people have to waive the same finding: as many as would have to approve it."""
    return max(1, int(environment.policy["approvals"]))


def weigh(
    analyses: Sequence[dict[str, Any]],
    revisions: Sequence[Revision],
    direction: str,
    target: Target,
    author_id: int | None,
) -> list[dict[str, Any]]:
    """The analyses as this target's environment takes them: without what enough reviewers have waived there."""
    marked = [
        waivers.mark(analysis, sha256=row.sha256, direction=direction)
        for analysis, row in zip(analyses, revisions, strict=True)
    ]
    if not any(analysis["dangerous"] for analysis in marked):
        return marked
    accepted = that_count(target, author_id=author_id, revisions=[row.revision for row in revisions])
    return [waivers.apply(analysis, accepted, needed=people_needed(target.environment)) for analysis in marked]


def used_by(steps: Sequence[Step]) -> list[Waiver]:
    """The waivers that made the plan of these steps what it is."""
    names = {name for step in steps for name in step.analysis.get("waivers", [])}
    return list(Waiver.objects.filter(pk__in=names).select_related("created_by").order_by("pk")) if names else []


def objection(rollout: Rollout) -> str:
    """Why a waiver that the plan stands on holds no more, or "". Its author must be one who may still approve there."""
    steps = Step.objects.filter(plan__rollout=rollout, analysis__has_key="waivers")
    cited = steps.values_list("plan__target__environment", "analysis__waivers").order_by().distinct()
    places = {(place, name) for place, names in cited for name in names}
    known = Waiver.objects.select_related("created_by", "revoked_by").in_bulk({name for _, name in places})
    environments = Environment.objects.in_bulk({place for place, _ in places})
    for place, name in sorted(places):
        why = _why_void(known.get(name), environments[place])
        if why:
            return f"the waiver {name} {why}"
    return ""


def _why_void(row: Waiver | None, environment: Environment) -> str:
    if row is None:
        return "is not known"
    what = f"of {row.rule} in revision {row.revision}"
    if row.revoked_at is not None:
        return f"{what} was revoked by {row.revoked_by}: {row.revoke_reason}"
    if row.state == "expired":
        return f"{what} ran out at {row.expires_at:%Y-%m-%d %H:%M} UTC"
    if row.environment_id not in (None, environment.pk):
        return f"{what} is not for {environment}"
    if not _may_waive(row.created_by, environment):
        return f"{what} no longer counts: {row.created_by}, who made it, may not approve in {environment} any more"
    return ""


def _may_waive(user: User, environment: Environment) -> bool:
    """A waiver stands for an approval, so it is worth as much as its author's approval would be."""
    kind = "machine" if user.is_machine else "person"
    decision = policy.may(kind=kind, roles=user.roles, verb="approve", policies=[environment.policy])
    return user.is_active and decision.allowed
