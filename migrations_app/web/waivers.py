"""The waivers, and the forms that make one below each danger of a plan and end one in the list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.views.decorators.http import require_http_methods

from migrations_app.errors import Conflict, Forbidden, Invalid, NotFound
from migrations_app.models import Environment, Rollout, TargetPlan, Waiver
from migrations_app.stages import waive
from migrations_app.web.deciding import Refusal
from migrations_app.web.forms import WaiverForm, tell
from migrations_app.web.paging import page_of
from migrations_app.web.people import actor_of, person
from migrations_app.web.pieces import Piece

TABS = (("", "Active"), ("expired", "Expired"), ("revoked", "Revoked"), ("all", "All"))


@require_http_methods(["GET", "HEAD", "POST"])
def index(request: HttpRequest) -> HttpResponse:
    """Active ones unless told otherwise: the others are history. A POST revokes one; what was refused is told here."""
    if request.method != "POST":
        return _list(request)
    row = Waiver.objects.listed().filter(pk=request.POST.get("waiver", "").replace("\0", "")).first()
    if row is None:
        raise NotFound("There is no such waiver.")
    reason = request.POST.get("reason", "").strip()
    try:
        waive.revoke(actor=actor_of(request), user=person(request), waiver=row, reason=reason)
    except (Conflict, Forbidden, Invalid) as error:
        return _list(request, Refusal(error, reason), row.pk)
    messages.success(request, "Revoked. What stands on it goes stale before its next statement.")
    return redirect(request.get_full_path())


def form_of(request: HttpRequest, plans: Sequence[TargetPlan]) -> WaiverForm:
    """The form that was sent, for the environments of these plans."""
    return _form(_environments(plans), request.POST)


def make(request: HttpRequest, rollout: Rollout, form: WaiverForm) -> bool:
    """Waives what the form says. False: the form says what was wrong, beside its fields."""
    if not form.is_valid():
        return False
    given = form.cleaned_data
    try:
        waive.waive(
            actor=actor_of(request),
            user=person(request),
            subject=rollout,
            finding=given["finding"],
            environment=Environment.objects.filter(name=given["environment"]).first(),
            reason=given["reason"],
            expires_at=given["expires_on"],
        )
    except Invalid as error:
        tell(form, error, fields={"subject": "finding", "expires_at": "expires_on"})
        return False
    except Conflict as error:
        form.add_error(None, error.detail)
        return False
    messages.success(request, "Waived. Plans made from now on count it; this one stays as it was planned.")
    return True


def show_on(
    pieces: Sequence[Piece], plans: Sequence[TargetPlan], *, is_offered: bool, sent: WaiverForm | None = None
) -> None:
    """Puts beside each danger what its page shows: the waiver, those made since, and the form for another."""
    dangers = [finding for piece in pieces for finding in piece.findings if finding.get("subject")]
    since = _made_since(plans, {finding["subject"] for finding in dangers if not finding.get("waived")})
    environments, sent_for = _environments(plans), sent["finding"].value() if sent else ""
    for number, finding in enumerate(dangers):
        if known := finding.get("waived"):
            for told in (known, *known["also"]):
                told["until"] = parse_datetime(told["expires_at"])
            continue
        subject = finding["subject"]
        finding["waived_since"] = since.get(subject, [])
        if is_offered:
            is_sent, sent_for = subject == sent_for, "" if subject == sent_for else sent_for
            finding["anchor"] = f"waive-{number}"
            fresh = {"initial": {"finding": subject}, "auto_id": f"waive-{number}-%s"}
            finding["form"] = sent if is_sent else _form(environments, **fresh)


def _made_since(plans: Sequence[TargetPlan], subjects: set[str]) -> dict[str, list[Waiver]]:
    if not subjects:
        return {}
    rows = Waiver.objects.in_state("active").filter(project=plans[0].target.project_id, subject__in=subjects)
    found: dict[str, list[Waiver]] = {}
    for row in rows.select_related("created_by", "environment"):
        found.setdefault(row.subject, []).append(row)
    return found


def _environments(plans: Sequence[TargetPlan]) -> list[str]:
    return list(dict.fromkeys(plan.target.environment.name for plan in plans))


def _form(environments: Sequence[str], *data: Any, **more: Any) -> WaiverForm:
    return WaiverForm(*data, environments=environments, today=timezone.localdate(), **more)


def _list(request: HttpRequest, refusal: Refusal | None = None, refused: str = "") -> HttpResponse:
    tab = request.GET.get("show", "")
    rows = Waiver.objects.listed()
    if tab != "all":
        rows = rows.in_state(tab if tab in dict(TABS) and tab else "active")
    context = {
        "section": "waivers",
        "page": page_of(request, rows, by="id", newest_first=True),
        "tabs": TABS,
        "tab": tab,
        "decision": waive.may_waive(actor=actor_of(request)),
        "refusal": refusal,
        "refused": refused,
    }
    return render(request, "waivers/index.html", context, status=refusal.error.status if refusal else 200)
