"""`approvals/`: what waits for the caller's decision, oldest first."""

from __future__ import annotations

from typing import Any

from django.db.models import F, QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from migrations_app.api import pagination
from migrations_app.api.door import ListDoor
from migrations_app.api.serializers.decisions import Waiting
from migrations_app.engines import policy
from migrations_app.models import Backfill, Environment, Rollout
from migrations_app.models.status import BackfillStatus


class Approvals(ListDoor):
    order = ("created_at", "pk")
    row = Waiting

    def get(self, request: Request, **_names: str) -> Response:
        """Only what the caller may decide on; for a machine's token that is nothing, ever."""
        limit = pagination.limit_of(request)
        waiting = [row for rows in self._waiting() for row in pagination.after(rows, self.order, request)[: limit + 1]]
        waiting.sort(key=lambda row: (row.created_at, row.pk))
        page, following = pagination.cut(waiting, self.order, request, limit)
        return Response({"results": Waiting(page, many=True).data, "next": following})

    def _waiting(self) -> list[QuerySet[Any]]:
        """Narrowed before the page is cut, else a page could be empty while the next one is not."""
        closed = [row.pk for row in Environment.objects.all() if not self._may_decide_in(row)]
        rollouts = Rollout.objects.waiting_for(self.user).select_related("author")
        backfills = Backfill.objects.filter(status=BackfillStatus.AWAITING_APPROVAL, step__isnull=True)
        backfills = backfills.exclude(author=self.user).select_related("author")
        backfills = backfills.exclude(approvals__approver=self.user, approvals__digest=F("digest"))
        if not self._may_decide_in(None):
            return []
        return [
            rollouts.exclude(plans__target__environment__in=closed),
            backfills.exclude(target__environment__in=closed),
        ]

    def _may_decide_in(self, environment: Environment | None) -> bool:
        actor = self.actor
        policies = [environment.policy] if environment else []
        return policy.may(kind=actor.kind, roles=actor.roles, verb="approve", policies=policies).allowed
