"""One backfill: is it moving, why not, when is it done, and the brakes."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from migrations_app.engines.backfill.sample import Sample as Tried
from migrations_app.errors import Invalid, NotFound
from migrations_app.models import AuditEvent, Backfill, Sample
from migrations_app.stages import approve
from migrations_app.stages import backfill as backfill_stage
from migrations_app.web.actions import actions_for
from migrations_app.web.deciding import Refusal, decide
from migrations_app.web.forms import LimitsForm, tell
from migrations_app.web.live import etag_of, fragment, whole
from migrations_app.web.people import actor_of, may
from migrations_app.web.sparkline import sparkline

CHART_WINDOW_S = 600
TABLE_ROWS = 20
EVENTS_SHOWN = 30
VERBS = {
    "start": (backfill_stage.start, "Started."),
    "pause": (backfill_stage.pause, "Asked to pause: the chunk in progress is committed first."),
    "resume": (backfill_stage.resume, "It goes on from where it stood."),
    "cancel": (backfill_stage.cancel, "Cancelled. Rows that are done stay done."),
}


@require_safe
def show(request: HttpRequest, backfill_id: str) -> HttpResponse:
    """The page; with htmx, the part that moves."""
    backfill = _find(backfill_id)
    etag = _etag(request, backfill)
    if request.htmx:  # type: ignore[attr-defined]  # set by django_htmx's middleware
        return fragment(
            request,
            "backfills/_live.html",
            lambda: _moving(request, backfill),
            etag=etag,
            is_final=backfill.is_final,
        )
    return _page(request, backfill)


@require_POST
def settle(request: HttpRequest, backfill_id: str, decision: str) -> HttpResponse:
    """Approve or reject. What was refused is told in place, on the backfill as it is by now."""
    refusal = decide(request, _find(backfill_id), decision)
    if refusal is None:
        return redirect("backfill", backfill_id)
    return _page(request, _find(backfill_id), refusal=refusal)


@require_POST
def operate(request: HttpRequest, backfill_id: str, verb: str) -> HttpResponse:
    """Start, pause, resume or cancel."""
    act, told = VERBS[verb]
    act(actor=actor_of(request), backfill=_find(backfill_id))
    messages.success(request, told)
    return redirect("backfill", backfill_id)


@require_POST
def limit(request: HttpRequest, backfill_id: str) -> HttpResponse:
    """Changes how hard it may push, also while it runs."""
    backfill = _find(backfill_id)
    form = LimitsForm(request.POST)
    if form.is_valid():
        try:
            backfill_stage.adjust(actor=actor_of(request), backfill=backfill, **form.cleaned_data)
        except Invalid as error:
            tell(form, error)
        else:
            messages.success(request, "Limits changed; the next chunk obeys them.")
            return redirect("backfill", backfill_id)
    return _page(request, backfill, limits=form, status=400)


@require_POST
def try_out(request: HttpRequest, backfill_id: str) -> HttpResponse:
    """Shows some real rows before and after. The target rolls it back, so there is nothing to redirect to."""
    backfill = _find(backfill_id)
    tried = backfill_stage.preview(actor=actor_of(request), backfill=backfill)
    return _page(request, backfill, tried=tried)


def _find(backfill_id: str) -> Backfill:
    rows = Backfill.objects.select_related("target__environment", "author", "step__plan__rollout__project")
    backfill: Backfill | None = rows.defer("digest_inputs").filter(pk=backfill_id).first()
    if backfill is None:
        raise NotFound(f"There is no backfill {backfill_id}.")
    return backfill


def _etag(request: HttpRequest, backfill: Backfill) -> str:
    last = Sample.objects.filter(backfill=backfill).order_by("-id").values_list("id", flat=True).first()
    return etag_of(backfill.pk, backfill.version, last, request.user.pk)


def _moving(request: HttpRequest, backfill: Backfill) -> dict[str, Any]:
    """What changes while it runs: figures, charts, buttons, and what happened last."""
    samples = _samples(backfill)
    events = AuditEvent.objects.filter(object_type="backfill", object_id=backfill.pk).order_by("-seq")
    return {
        "backfill": backfill,
        "subject": backfill,
        "decision": approve.may_decide(actor=actor_of(request), subject=backfill),
        "actions": actions_for(request, backfill),
        "rate": sparkline([sample.rows_per_s for sample in samples]),
        "lag": sparkline([sample.lag_s for sample in samples], limit=backfill.max_lag_s),
        "samples": samples[-TABLE_ROWS:],
        "span_s": (samples[-1].at - samples[0].at).total_seconds() if samples else 0,
        "mean_rate": _mean_rate(backfill),
        "done_at": _done_at(backfill),
        "events": events[:EVENTS_SHOWN],
    }


def _samples(backfill: Backfill) -> list[Sample]:
    """The last ten minutes that it ran, oldest first."""
    newest = backfill.samples.order_by("-id").first()
    if newest is None:
        return []
    since = newest.at - timedelta(seconds=CHART_WINDOW_S)
    return list(backfill.samples.filter(at__gte=since).order_by("id"))


def _mean_rate(backfill: Backfill) -> float | None:
    if backfill.started_at is None or not backfill.rows_done:
        return None
    seconds = ((backfill.finished_at or timezone.now()) - backfill.started_at).total_seconds()
    return backfill.rows_done / seconds if seconds > 1 else None


def _done_at(backfill: Backfill) -> datetime | None:
    """When it would end at this pace; nothing while it does not move."""
    if backfill.eta_s is None or backfill.status != "running":
        return None
    return timezone.now() + timedelta(seconds=backfill.eta_s)


def _page(
    request: HttpRequest,
    backfill: Backfill,
    *,
    refusal: Refusal | None = None,
    limits: LimitsForm | None = None,
    tried: Tried | None = None,
    status: int = 200,
) -> HttpResponse:
    context = _moving(request, backfill) | {
        "section": "backfills",
        "refusal": refusal,
        "limits": limits or LimitsForm(initial=vars(backfill)),
        "may_operate": may(request, "operate"),
        "may_probe": may(request, "probe"),
        "tried": tried,
        "approvals": backfill.approvals.select_related("approver"),
        "findings": [
            finding
            for statement in backfill.analysis.get("statements", [])
            for finding in statement.get("findings", [])
        ],
    }
    answered = refusal.error.status if refusal else status
    return whole(request, "backfills/backfill.html", context, etag=_etag(request, backfill), status=answered)
