"""Rollouts, the plan for each of their targets, the steps of a plan, and the log of what ran."""

from __future__ import annotations

from functools import partial
from typing import Any, Self

from django.db import models
from django.db.models.functions import Now

from migrations_app.models.access import User
from migrations_app.models.revisions import Bundle, Project, Revision
from migrations_app.models.rows import LeasedRow, LeaseQuerySet, StatusRow, new_id
from migrations_app.models.status import (
    ROLLOUT_EDGES,
    ROLLOUT_FINAL,
    STEP_EDGES,
    RolloutStatus,
    StepStatus,
)
from migrations_app.models.targets import Environment, Target


class RolloutQuerySet(models.QuerySet["Rollout"]):
    def listed(self) -> Self:
        """Rollouts with what a list shows of them, newest first."""
        return self.select_related("project", "author").order_by("-id")

    def waiting_for(self, user: User) -> Self:
        """What waits for this person's decision: not their own, not yet decided by them."""
        open_ones = self.filter(status=RolloutStatus.AWAITING_APPROVAL).exclude(author=user)
        return open_ones.exclude(approvals__approver=user, approvals__digest=models.F("digest"))

    def moving(self) -> Self:
        """What the scheduler has to look at."""
        return self.filter(status__in=[RolloutStatus.RUNNING, RolloutStatus.SCHEDULED])


class Rollout(StatusRow):
    """One plan being decided and executed over one or many targets."""

    EDGES = ROLLOUT_EDGES

    id = models.CharField(primary_key=True, max_length=40, default=partial(new_id, "rol"))
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="rollouts")
    bundle = models.ForeignKey(Bundle, on_delete=models.PROTECT, related_name="rollouts")
    author = models.ForeignKey(User, on_delete=models.PROTECT, related_name="rollouts")
    to = models.CharField(max_length=200)
    purpose = models.TextField(help_text="why its author wants it")
    status = models.CharField(max_length=20, choices=RolloutStatus.choices, default=RolloutStatus.PLANNING)
    digest = models.CharField(max_length=80, blank=True, default="")
    digest_inputs = models.JSONField(default=dict, help_text="what the digest was made of (docs/why)")
    dangerous = models.BooleanField(default=False)
    level = models.CharField(max_length=10, default="low")
    approvals_required = models.PositiveSmallIntegerField(default=0)
    approvals_reason = models.TextField(blank=True, default="")
    parameters = models.JSONField(default=dict, help_text="waves, failure_budget, soak_s and limits, as approved")
    not_before = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    asked = models.CharField(max_length=10, blank=True, default="", help_text="pause or cancel, asked while running")
    created_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = RolloutQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["status", "-id"], name="rollout_by_status")]

    def __str__(self) -> str:
        return f"{self.project} to {self.to}"

    @property
    def is_final(self) -> bool:
        return self.status in ROLLOUT_FINAL

    def policies(self) -> list[dict[str, Any]]:
        """The policies, as they are now, of every environment that the rollout touches."""
        return list(
            Environment.objects.filter(targets__plans__rollout=self).distinct().values_list("policy", flat=True)
        )

    def target_slugs(self) -> list[str]:
        """The targets' names, in the order of the waves."""
        return list(self.plans.values_list("target__slug", flat=True))


class TargetPlanQuerySet(LeaseQuerySet):
    def due(self) -> Self:
        """Plans of running rollouts on which nobody works now."""
        return self.unleased().filter(rollout__status=RolloutStatus.RUNNING)


class TargetPlan(LeasedRow):
    """A rollout's plan for one target; the lease on it is the right to work on that target for this rollout."""

    id = models.CharField(primary_key=True, max_length=40, default=partial(new_id, "plan"))
    rollout = models.ForeignKey(Rollout, on_delete=models.CASCADE, related_name="plans")
    target = models.ForeignKey(Target, on_delete=models.PROTECT, related_name="plans")
    wave = models.PositiveSmallIntegerField(default=0)
    from_heads = models.JSONField(default=list)
    to_heads = models.JSONField(default=list)
    system_identifier = models.CharField(max_length=40)
    database_oid = models.PositiveBigIntegerField()
    fingerprint = models.CharField(max_length=64, help_text="of the schema that was planned against")
    expected_heads = models.JSONField(default=list, help_text="what our own last run left; from_heads at first")
    expected_fingerprint = models.CharField(max_length=64, help_text="likewise for the schema")
    rehearsal = models.ForeignKey(
        "Rehearsal", on_delete=models.PROTECT, null=True, related_name="plans", help_text="what it was judged by, too"
    )
    rehearsal_digest = models.CharField(max_length=80, blank=True, default="", help_text="of what it found")
    not_before = models.DateTimeField(null=True, help_text="when a lock that could not be had is tried again")
    attempts = models.PositiveSmallIntegerField(default=0, help_text="tries at the lock since the last success")

    objects = TargetPlanQuerySet.as_manager()

    class Meta:
        ordering = ["wave", "id"]
        constraints = [models.UniqueConstraint(fields=["rollout", "target"], name="plan_once_per_target")]

    def __str__(self) -> str:
        return f"{self.rollout_id} on {self.target_id}"

    def next_step(self) -> Step | None:
        """The first step that is not verified, or None when all are."""
        return self.steps.exclude(status=StepStatus.VERIFIED).order_by("position").first()


class Step(StatusRow):
    """One revision, or one backfill, on one target."""

    EDGES = STEP_EDGES
    KINDS = (("revision", "revision"), ("backfill", "backfill"))

    id = models.CharField(primary_key=True, max_length=40, default=partial(new_id, "step"))
    plan = models.ForeignKey(TargetPlan, on_delete=models.CASCADE, related_name="steps")
    position = models.PositiveIntegerField()
    kind = models.CharField(max_length=10, choices=KINDS)
    direction = models.CharField(max_length=4, default="up")
    revision = models.ForeignKey(Revision, on_delete=models.PROTECT, related_name="+")
    status = models.CharField(max_length=20, choices=StepStatus.choices, default=StepStatus.PLANNED)
    statements = models.JSONField(default=list)
    autocommit = models.JSONField(default=list)
    opaque = models.TextField(blank=True, default="")
    recorded = models.BooleanField(default=False, help_text="its statements are those that a rehearsal recorded")
    analysis = models.JSONField(default=dict)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["plan", "position"]
        constraints = [models.UniqueConstraint(fields=["plan", "position"], name="step_once_per_position")]

    def __str__(self) -> str:
        return f"{self.kind} {self.revision.revision}"


class LogLine(models.Model):
    """One thing that a run did: a statement with its time, or something worth reading later."""

    KINDS = (("statement", "statement"), ("note", "note"), ("output", "output"))

    step = models.ForeignKey(Step, on_delete=models.CASCADE, related_name="log")
    at = models.DateTimeField(db_default=Now())
    kind = models.CharField(max_length=10, choices=KINDS)
    text = models.TextField()
    duration_ms = models.FloatField(null=True)
    sqlstate = models.CharField(max_length=5, blank=True, default="")

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.text[:80]
