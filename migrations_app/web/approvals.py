"""What waits for this person's decision."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from migrations_app.models import Approval
from migrations_app.web.people import may, person
from migrations_app.web.waiting import backfills_for, rollouts_for

SHOWN = 100
DECIDED_SHOWN = 20


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    user = person(request)
    decision = may(request, "approve")
    mine = Approval.objects.filter(approver=user).select_related("rollout__project", "backfill__target")
    context = {
        "section": "approvals",
        "decision": decision,
        "rollouts": rollouts_for(user).listed().defer("digest_inputs")[:SHOWN] if decision.allowed else [],
        "backfills": backfills_for(user).listed()[:SHOWN] if decision.allowed else [],
        "decided": mine.order_by("-at")[:DECIDED_SHOWN],
    }
    return render(request, "approvals/index.html", context)
