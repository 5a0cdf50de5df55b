"""The targets, and the form that registers one."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from migrations_app.errors import Invalid, Unprocessable
from migrations_app.models import Environment, Target
from migrations_app.models.status import SchemaState
from migrations_app.stages import inventory
from migrations_app.web.forms import TargetForm, tell
from migrations_app.web.paging import page_of
from migrations_app.web.people import actor_of, may


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """All targets, filtered in SQL before the page is cut."""
    rows = Target.objects.listed()
    text, environment, state = (request.GET.get(name, "").strip() for name in ("q", "environment", "state"))
    if text:
        rows = rows.filter(slug__icontains=text.replace("\0", ""))
    if environment:
        rows = rows.filter(environment__name=environment)
    if state in SchemaState.values:
        rows = rows.filter(schema_state=state)
    context = {
        "section": "targets",
        "page": page_of(request, rows, by="slug"),
        "environments": Environment.objects.all(),
        "states": SchemaState.values,
        "filters": {"q": text, "environment": environment, "state": state},
        "may_configure": may(request, "configure"),
    }
    return render(request, "targets/index.html", context)


def new(request: HttpRequest) -> HttpResponse:
    """The form; sent, the target is reached, recognised and kept, or nothing is."""
    form = TargetForm(request.POST or None, initial={"project": request.GET.get("project", "")})
    if request.method == "POST" and form.is_valid():
        try:
            target = inventory.create_target(actor=actor_of(request), **form.cleaned_data)
        except Invalid as error:
            tell(form, error)
        except Unprocessable as error:
            form.add_error("url", error.detail)
        else:
            messages.success(request, f"{target} is registered. This is what was found there.")
            return redirect("target", target.slug)
    context = {"section": "targets", "form": form, "may_configure": may(request, "configure")}
    return render(request, "targets/new.html", context, status=400 if form.is_bound else 200)
