"""The first page: what needs a decision, what runs, what needs attention; and how to begin."""

from __future__ import annotations

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from migrations_app.models import Backfill, Environment, Project, Replica, Rollout, Target
from migrations_app.models.status import BACKFILL_ACTIVE
from migrations_app.web.people import actor_of, person
from migrations_app.web.waiting import backfills_for, rollouts_for

SHOWN = 8
ON_THEIR_WAY = ("running", "paused", "scheduled", "approved")
# Behind is the ordinary state of a target whose rollout is being prepared; the others need somebody to look.
TROUBLED = ("unreachable", "unknown_revision", "drifted", "ahead")


@require_safe
def show(request: HttpRequest) -> HttpResponse:
    user = person(request)
    decides = "approver" in actor_of(request).roles
    rollouts = Rollout.objects.listed().defer("digest_inputs")
    context = {
        "section": "home",
        "decides": decides,
        "waiting_rollouts": rollouts_for(user).listed()[:SHOWN] if decides else [],
        "waiting_backfills": backfills_for(user).listed()[:SHOWN] if decides else [],
        "rollouts": rollouts.filter(Q(status__in=ON_THEIR_WAY) | _mine(request))[:SHOWN],
        "backfills": Backfill.objects.listed().filter(status__in=[*BACKFILL_ACTIVE, "paused"])[:SHOWN],
        "targets": _troubled()[:SHOWN],
    }
    if not context["rollouts"] and not context["backfills"]:
        context["steps"] = _first_steps()
    return render(request, "home/home.html", context)


def _mine(request: HttpRequest) -> Q:
    """An author wants to see what became of the question that they asked."""
    return Q(author=person(request), status__in=["planning", "awaiting_approval"])


def _troubled() -> QuerySet[Target]:
    late = Replica.objects.filter(target=OuterRef("pk")).exclude(reason="")
    return Target.objects.listed().filter(Q(schema_state__in=TROUBLED) | Exists(late))


def _first_steps() -> list[dict[str, object]]:
    """The checklist of the first hour, which ticks itself. Empty once all is done."""
    steps: list[dict[str, object]] = [
        {
            "done": Project.objects.exists(),
            "title": "Add a project: the folder that holds alembic.ini",
            "command": "python manage.py project add shop --path /srv/shop",
        },
        {
            "done": Environment.objects.exists(),
            "title": "Name an environment, with the policy for its targets",
            "command": "python manage.py environment add dev",
        },
        {
            "done": Target.objects.exists(),
            "title": "Add a target: a database that Tidegate may change",
            "command": "python manage.py target add shop-dev --project shop --environment dev "
            "--url-ref env:TIDEGATE_TARGET_SHOP_DEV",
        },
        {
            "done": Rollout.objects.filter(status="succeeded").exists(),
            "title": "Plan your first rollout, let somebody else approve it, and start it",
            "command": "python manage.py plan shop --target shop-dev --as alice --reason 'our first one'",
        },
    ]
    return [] if all(step["done"] for step in steps) else steps
