"""One person's decision on one digest."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from migrations_app.models.access import User
from migrations_app.models.backfills import Backfill
from migrations_app.models.rollouts import Rollout


class Approval(models.Model):
    """A decision. The constraints make a person's second one on the same digest impossible, however they race."""

    DECISIONS = (("approve", "approve"), ("reject", "reject"))

    rollout = models.ForeignKey(Rollout, on_delete=models.CASCADE, null=True, blank=True, related_name="approvals")
    backfill = models.ForeignKey(Backfill, on_delete=models.CASCADE, null=True, blank=True, related_name="approvals")
    digest = models.CharField(max_length=80)
    decision = models.CharField(max_length=10, choices=DECISIONS)
    approver = models.ForeignKey(User, on_delete=models.PROTECT, related_name="approvals")
    comment = models.TextField(blank=True, default="")
    at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["at", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(rollout__isnull=False) ^ Q(backfill__isnull=False), name="approval_of_one_thing"
            ),
            models.UniqueConstraint(
                fields=["rollout", "digest", "approver"], condition=Q(rollout__isnull=False), name="one_say_per_rollout"
            ),
            models.UniqueConstraint(
                fields=["backfill", "digest", "approver"],
                condition=Q(backfill__isnull=False),
                name="one_say_per_backfill",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.approver} {self.decision}"
