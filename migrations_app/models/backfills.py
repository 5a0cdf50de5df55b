"""Backfills: what one shall do, how far it is, and thin samples for its charts."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import Any, Self

from django.db import models
from django.db.models.functions import Now
from django.utils import timezone

from migrations_app.engines.backfill.definition import Definition
from migrations_app.engines.backfill.throttle import Limits
from migrations_app.errors import Invalid
from migrations_app.models.access import User
from migrations_app.models.rollouts import Step
from migrations_app.models.rows import LeasedRow, LeaseQuerySet, StatusRow, new_id
from migrations_app.models.status import BACKFILL_ACTIVE, BACKFILL_EDGES, BACKFILL_FINAL, BackfillStatus
from migrations_app.models.targets import Target


class BackfillQuerySet(LeaseQuerySet):
    def listed(self) -> Self:
        """Backfills with what a list shows of them, newest first."""
        return self.select_related("target", "author").order_by("-id")

    def soaks_until(self, step: Step) -> datetime | None:
        """When a revision that asks for `soak_s` after its backfills may run; None when it may run now."""
        requires = step.revision.requires or {}
        if not requires.get("soak_s"):
            return None
        done = self.filter(status=BackfillStatus.VERIFIED, target=step.plan.target)
        ended = done.filter(step__revision__revision__in=requires.get("backfills", [])).aggregate(
            at=models.Max("finished_at")
        )["at"]
        until = ended + timedelta(seconds=float(requires["soak_s"])) if ended else None
        return until if until and until > timezone.now() else None

    def due(self) -> Self:
        """Backfills that have work and nobody working on it."""
        return self.unleased().filter(
            models.Q(not_before__isnull=True) | models.Q(not_before__lte=Now()), status__in=BACKFILL_ACTIVE
        )


class Backfill(StatusRow, LeasedRow):
    """A chunked data change on one target. The truth about its progress is the checkpoint row in the target."""

    EDGES = BACKFILL_EDGES

    id = models.CharField(primary_key=True, max_length=40, default=partial(new_id, "bf"))
    target = models.ForeignKey(Target, on_delete=models.PROTECT, related_name="backfills")
    step = models.OneToOneField(Step, on_delete=models.CASCADE, null=True, blank=True, related_name="backfill")
    author = models.ForeignKey(User, on_delete=models.PROTECT, related_name="backfills")
    purpose = models.TextField(help_text="why its author wants it")
    table = models.CharField(max_length=200)
    set = models.JSONField()
    where = models.TextField(blank=True, default="")
    key = models.JSONField(null=True)
    status = models.CharField(max_length=20, choices=BackfillStatus.choices, default=BackfillStatus.DECLARED)
    digest = models.CharField(max_length=80, blank=True, default="")
    digest_inputs = models.JSONField(default=dict)
    analysis = models.JSONField(default=dict)
    guarantee = models.CharField(max_length=20, default="exactly_once")
    approvals_required = models.PositiveSmallIntegerField(default=0)
    approvals_reason = models.TextField(blank=True, default="")
    expires_at = models.DateTimeField(null=True, blank=True)

    workers = models.PositiveSmallIntegerField(default=1)
    chunk_ms = models.PositiveIntegerField(default=100)
    max_lag_s = models.FloatField(default=2.0)

    rows_done = models.PositiveBigIntegerField(default=0, help_text="rows changed")
    rows_scanned = models.PositiveBigIntegerField(default=0, help_text="rows passed, changed or not")
    rows_estimated = models.PositiveBigIntegerField(default=0, help_text="rows to pass, corrected as it goes")
    rows_per_s = models.FloatField(null=True, help_text="rows passed, averaged over some 15 s")
    rows_per_s_slow = models.FloatField(null=True, help_text="the same over some 2 minutes")
    eta_low_s = models.FloatField(null=True)
    eta_s = models.FloatField(null=True, help_text="the upper end of the estimate")
    chunk_rows = models.PositiveIntegerField(default=1000)
    lag_s = models.FloatField(null=True)
    throttle_reason = models.TextField(blank=True, default="", help_text="empty when nothing holds it back")
    kept = models.JSONField(null=True, help_text="the checkpoint, where the target does not let us keep one")
    remaining_rows = models.PositiveBigIntegerField(null=True)
    not_before = models.DateTimeField(null=True, help_text="when a transient failure is tried again")
    attempts = models.PositiveSmallIntegerField(default=0, help_text="failures in a row")
    created_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = BackfillQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["status", "-id"], name="backfill_by_status")]

    def __str__(self) -> str:
        return f"{self.table} on {self.target_id}"

    @property
    def is_final(self) -> bool:
        return self.status in BACKFILL_FINAL

    def definition(self) -> Definition:
        """What the engine shall do."""
        return Definition(self.table, self.set, self.where or None, tuple(self.key) if self.key else None)

    def limits(self) -> Limits:
        """What it may cost others. Raises Invalid with a pointer for each value out of range."""
        if self.workers != 1:
            raise Invalid.field("/workers", "This version works on a table with one worker at a time: leave it at 1.")
        return Limits(max_lag_s=self.max_lag_s, chunk_ms=self.chunk_ms)

    def policies(self) -> list[dict[str, Any]]:
        """The policy, as it is now, of its target's environment."""
        return [self.target.environment.policy]

    def target_slugs(self) -> list[str]:
        return [self.target.slug]

    @property
    def fraction(self) -> float | None:
        """Share passed; 1 only when verified; None while nothing is known."""
        if self.status == BackfillStatus.VERIFIED:
            return 1.0
        return min(0.99, self.rows_scanned / self.rows_estimated) if self.rows_estimated else None


class Sample(models.Model):
    """One point of a backfill's charts; about one a second, thinned to at most 2,000 a run."""

    backfill = models.ForeignKey(Backfill, on_delete=models.CASCADE, related_name="samples")
    at = models.DateTimeField(db_default=Now())
    rows_done = models.PositiveBigIntegerField()
    rows_per_s = models.FloatField(null=True)
    lag_s = models.FloatField(null=True)
    chunk_rows = models.PositiveIntegerField()
    throttled = models.BooleanField()

    class Meta:
        ordering = ["id"]
