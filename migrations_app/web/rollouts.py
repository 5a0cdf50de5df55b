"""The rollouts, and the form that plans one."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from migrations_app.errors import Conflict, Invalid, Unprocessable
from migrations_app.models import Project, Rollout
from migrations_app.models.status import ROLLOUT_FINAL
from migrations_app.stages import plan
from migrations_app.web.forms import RolloutForm, tell
from migrations_app.web.paging import page_of
from migrations_app.web.people import actor_of, may, person

TABS = (("", "Open"), ("waiting", "Awaiting approval"), ("ended", "Ended"), ("all", "All"))


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """Open ones unless told otherwise: what has ended is history."""
    rows = Rollout.objects.listed().defer("digest_inputs")
    tab = request.GET.get("show", "")
    if tab == "waiting":
        rows = rows.filter(status="awaiting_approval")
    elif tab == "ended":
        rows = rows.filter(status__in=ROLLOUT_FINAL)
    elif tab != "all":
        rows = rows.exclude(status__in=ROLLOUT_FINAL)
    context = {
        "section": "rollouts",
        "page": page_of(request, rows, by="id", newest_first=True),
        "tabs": TABS,
        "tab": tab,
        "may_propose": may(request, "propose"),
    }
    return render(request, "rollouts/index.html", context)


def new(request: HttpRequest) -> HttpResponse:
    """First the project, then its targets; sent, it makes the plan and shows it."""
    projects = list(Project.objects.order_by("slug")[:200])
    wanted = request.POST.get("project") or request.GET.get("project", "")
    project = next((one for one in projects if one.slug == wanted), projects[0] if len(projects) == 1 else None)
    form = None
    if project is not None:
        initial = {"targets": request.GET.getlist("target"), "to": request.GET.get("to", "head")}
        form = RolloutForm(request.POST or None, project=project, initial=initial)
        if request.method == "POST" and form.is_valid() and (made := _plan(request, form, project)):
            return redirect("rollout", made.pk)
    context = {
        "section": "rollouts",
        "form": form,
        "projects": projects,
        "project": project,
        "may_propose": may(request, "propose"),
    }
    return render(request, "rollouts/new.html", context, status=400 if form is not None and form.is_bound else 200)


def _plan(request: HttpRequest, form: RolloutForm, project: Project) -> Rollout | None:
    values = form.cleaned_data
    try:
        return plan.create_rollout(
            actor=actor_of(request),
            author=person(request),
            project=project,
            targets=list(values["targets"]),
            to=values["to"],
            purpose=values["reason"],
            not_before=values["not_before"],
        )
    except Invalid as error:
        tell(form, error, fields={"purpose": "reason"})
    except (Unprocessable, Conflict) as error:
        form.add_error(None, error.detail)
    return None
