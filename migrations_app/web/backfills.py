"""The backfills, and the form that declares one."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from migrations_app.errors import Invalid, Unprocessable
from migrations_app.models import Backfill, Target
from migrations_app.models.status import BACKFILL_ACTIVE, BACKFILL_FINAL
from migrations_app.stages import backfill as backfill_stage
from migrations_app.web.forms import BackfillForm, tell
from migrations_app.web.paging import page_of
from migrations_app.web.people import actor_of, may, person

TABS = (("", "Open"), ("running", "Running"), ("ended", "Ended"), ("all", "All"))


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """Open ones unless told otherwise: what has ended is history."""
    rows = Backfill.objects.listed()
    tab = request.GET.get("show", "")
    if tab == "running":
        rows = rows.filter(status__in=[*BACKFILL_ACTIVE, "paused"])
    elif tab == "ended":
        rows = rows.filter(status__in=BACKFILL_FINAL)
    elif tab != "all":
        rows = rows.exclude(status__in=BACKFILL_FINAL)
    context = {
        "section": "backfills",
        "page": page_of(request, rows, by="id", newest_first=True),
        "tabs": TABS,
        "tab": tab,
        "may_propose": may(request, "propose"),
    }
    return render(request, "backfills/index.html", context)


def new(request: HttpRequest) -> HttpResponse:
    """The form; sent, it declares the backfill and shows it."""
    form = BackfillForm(request.POST or None, initial={"target": request.GET.get("target", "")})
    if request.method == "POST" and form.is_valid() and (made := _declare(request, form)):
        return redirect("backfill", made.pk)
    slugs = Target.objects.order_by("slug").values_list("slug", flat=True)[:200]
    context = {"section": "backfills", "form": form, "slugs": slugs, "may_propose": may(request, "propose")}
    return render(request, "backfills/new.html", context, status=400 if form.is_bound else 200)


def _declare(request: HttpRequest, form: BackfillForm) -> Backfill | None:
    values = form.cleaned_data
    target = Target.objects.filter(slug=values["target"]).first()
    if target is None:
        form.add_error("target", "There is no target of this name.")
        return None
    try:
        return backfill_stage.declare(
            actor=actor_of(request),
            author=person(request),
            target=target,
            purpose=values["reason"],
            **{name: values[name] for name in ("table", "set", "where", "max_lag_s", "chunk_ms")},
        )
    except Invalid as error:
        tell(form, error, fields={"purpose": "reason"})
    except Unprocessable as error:
        form.add_error(None, error.detail)
    return None
