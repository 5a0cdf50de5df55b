"""What waits for a person's decision, over both kinds of work."""

from __future__ import annotations

from django.db.models import F

from migrations_app.models import Actor, Backfill, Rollout, User
from migrations_app.models.backfills import BackfillQuerySet
from migrations_app.models.rollouts import RolloutQuerySet
from migrations_app.models.status import BackfillStatus


def rollouts_for(user: User) -> RolloutQuerySet:
    return Rollout.objects.waiting_for(user)


def backfills_for(user: User) -> BackfillQuerySet:
    """Backfills to decide on: not their own, not yet decided by them, not those that a rollout's approval covers."""
    waiting = Backfill.objects.filter(status=BackfillStatus.AWAITING_APPROVAL, step__isnull=True).exclude(author=user)
    return waiting.exclude(approvals__approver=user, approvals__digest=F("digest"))


def count_for(user: User, actor: Actor) -> int:
    """How many; 0 without a query for somebody who never approves."""
    if "approver" not in actor.roles:
        return 0
    return rollouts_for(user).values("id").union(backfills_for(user).values("id")).count()
