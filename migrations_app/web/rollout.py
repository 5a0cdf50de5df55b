"""One rollout: what it will do, the decision, and how it runs."""

from __future__ import annotations

from collections import Counter
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.db.models import Count, Max, OuterRef, Prefetch, Subquery, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST, require_safe

from migrations_app.errors import NotFound
from migrations_app.models import LogLine, Rehearsal, Rollout, Step, TargetPlan
from migrations_app.stages import approve, waive
from migrations_app.stages import rollout as rollout_stage
from migrations_app.web import waivers
from migrations_app.web.actions import actions_for
from migrations_app.web.deciding import Refusal, decide, needs_name
from migrations_app.web.forms import WaiverForm
from migrations_app.web.freshness import freshness
from migrations_app.web.live import etag_of, fragment, whole
from migrations_app.web.people import actor_of, may
from migrations_app.web.pieces import pieces_of, risks_of
from migrations_app.web.verdict import verdict

LOG_LINES_SHOWN = 200
PLANS_SHOWN = 100
VERBS = {
    "start": (rollout_stage.start, "Started."),
    "pause": (rollout_stage.pause, "Asked to pause: the step in progress ends first."),
    "resume": (rollout_stage.resume, "It goes on."),
    "cancel": (rollout_stage.cancel, "Cancelled: what has not begun will not run."),
    "retry": (rollout_stage.retry, "What had failed is tried again."),
}


@require_safe
def show(request: HttpRequest, rollout_id: str) -> HttpResponse:
    """The page; with htmx, only what changes while it is decided or runs."""
    rollout = _find(rollout_id)
    etag = _etag(request, rollout)
    if request.htmx:  # type: ignore[attr-defined]  # set by django_htmx's middleware

        def moving() -> dict[str, Any]:
            return _moving(request, rollout, _plans(rollout))

        return fragment(request, "rollouts/_live.html", moving, etag=etag, is_final=rollout.is_final)
    return _page(request, rollout, etag)


@require_POST
def settle(request: HttpRequest, rollout_id: str, decision: str) -> HttpResponse:
    """Approve or reject. What was refused is told in place, on the rollout as it is by now."""
    refusal = decide(request, _find(rollout_id), decision)
    if refusal is None:
        return redirect("rollout", rollout_id)
    rollout = _find(rollout_id)
    return _page(request, rollout, _etag(request, rollout), refusal)


@require_POST
def waive_finding(request: HttpRequest, rollout_id: str) -> HttpResponse:
    """Waives one danger. What was wrong is told at the form, below the finding."""
    rollout = _find(rollout_id)
    form = waivers.form_of(request, _plans(rollout))
    if waivers.make(request, rollout, form):
        return redirect("rollout", rollout_id)
    return _page(request, rollout, _etag(request, rollout), sent=form)


@require_POST
def operate(request: HttpRequest, rollout_id: str, verb: str) -> HttpResponse:
    """Start, pause, resume, cancel or retry."""
    act, told = VERBS[verb]
    act(actor=actor_of(request), rollout=_find(rollout_id))
    messages.success(request, told)
    return redirect("rollout", rollout_id)


def _find(rollout_id: str) -> Rollout:
    rows = Rollout.objects.select_related("project", "bundle", "author").defer("bundle__archive", "digest_inputs")
    steps = Step.objects.filter(plan__rollout=OuterRef("pk")).order_by().values("plan__rollout")
    plans = TargetPlan.objects.filter(rollout=OuterRef("pk")).order_by().values("rollout")
    lines = LogLine.objects.filter(step__plan__rollout=OuterRef("pk")).order_by().values("step__plan__rollout")
    seen = rows.annotate(  # with the rollout's own version, all that the moving part depends on
        steps_version=Subquery(steps.annotate(sum=Sum("version")).values("sum")),
        backfills_version=Subquery(steps.annotate(sum=Sum("backfill__version")).values("sum")),
        rehearsals_version=Subquery(plans.annotate(sum=Sum("rehearsal__version")).values("sum")),
        last_line=Subquery(lines.annotate(last=Max("id")).values("last")),
    )
    rollout = seen.filter(pk=rollout_id).first()
    if rollout is None:
        raise NotFound(f"There is no rollout {rollout_id}.")
    return rollout


def _plans(rollout: Rollout) -> list[TargetPlan]:
    """The first plans with their steps and logs, without the SQL, analyses and sources, which `pieces` reads."""
    unread = ("statements", "analysis", "revision__source", "revision__statements", "revision__analysis")
    steps = Step.objects.select_related("revision", "backfill").defer(*unread).order_by("position")
    known = LogLine.objects.order_by("id") if rollout.last_line else LogLine.objects.none()  # type: ignore[attr-defined]  # annotated by _find
    lines = known[:LOG_LINES_SHOWN]
    found = rollout.plans.select_related("target__environment").prefetch_related(
        Prefetch("steps", queryset=steps),
        Prefetch("steps__log", queryset=lines, to_attr="lines"),
        Prefetch("rehearsal", queryset=Rehearsal.objects.listed()),
        "target__replicas",
    )
    return list(found.order_by("wave", "id")[:PLANS_SHOWN])


def _etag(request: HttpRequest, rollout: Rollout) -> str:
    names = ("version", "steps_version", "backfills_version", "rehearsals_version", "last_line")
    return etag_of(rollout.pk, [getattr(rollout, name) for name in names], request.user.pk)


def _moving(request: HttpRequest, rollout: Rollout, plans: list[TargetPlan]) -> dict[str, Any]:
    """What changes while somebody looks: the state, who has decided, the steps, and the buttons."""
    approvals = list(rollout.approvals.select_related("approver"))
    targets_count, step_counts = _tally(rollout, plans)
    return {
        "rollout": rollout,
        "subject": rollout,
        "plans": plans,
        "targets_count": targets_count,
        "step_counts": step_counts,
        "approvals": approvals,
        "approved_count": sum(a.decision == "approve" and a.digest == rollout.digest for a in approvals),
        "decision": approve.may_decide(actor=actor_of(request), subject=rollout),
        "needs_name": needs_name(rollout),
        "actions": actions_for(request, rollout),
    }


def _tally(rollout: Rollout, plans: list[TargetPlan]) -> tuple[int, dict[str, int]]:
    """How many targets there are, and how many steps in each status; asked of the database only when some are cut."""
    if len(plans) < PLANS_SHOWN:
        return len(plans), dict(Counter(step.status for plan in plans for step in plan.steps.all()))
    steps = Step.objects.filter(plan__rollout=rollout).order_by("status")
    return rollout.plans.count(), dict(steps.values_list("status").annotate(Count("id")))


def _page(
    request: HttpRequest, rollout: Rollout, etag: str, refusal: Refusal | None = None, sent: WaiverForm | None = None
) -> HttpResponse:
    """`refusal`: of the decision bar. `sent`: the form of a waiver that was not taken."""
    plans = _plans(rollout)
    pieces = pieces_of(rollout)
    may_waive = waive.may_waive(actor=actor_of(request), rollout=rollout)
    waivers.show_on(pieces, plans, is_offered=may_waive.allowed, sent=sent)
    context = _moving(request, rollout, plans)
    context |= {
        "section": "rollouts",
        "verdict": verdict(pieces, targets_count=context["targets_count"]),
        "pieces": pieces,
        "risks": risks_of(pieces),
        "freshness": freshness(rollout, plans),
        "may_rehearse": bool(settings.TIDEGATE_SCRATCH_URL) and may(request, "probe").allowed,
        "is_deciding": rollout.status in {"planning", "awaiting_approval", "approved", "rejected", "stale"},
        "refusal": refusal,
    }
    status = refusal.error.status if refusal else 400 if sent else 200
    return whole(request, "rollouts/rollout.html", context, etag=etag, status=status)
