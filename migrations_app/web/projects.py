"""The projects, and one project's history."""

from __future__ import annotations

from django.contrib import messages
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from migrations_app.errors import NotFound
from migrations_app.models import Project
from migrations_app.stages import discover
from migrations_app.web.paging import page_of
from migrations_app.web.people import actor_of, may

REVISIONS_SHOWN = 500


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    rows = Project.objects.select_related("bundle").defer("bundle__archive")
    counted = rows.annotate(targets_count=Count("targets", distinct=True))
    return render(request, "projects/index.html", {"section": "projects", "page": page_of(request, counted, by="slug")})


@require_safe
def show(request: HttpRequest, slug: str) -> HttpResponse:
    """The history, newest first, with what Tidegate read in each revision."""
    project = _find(slug)
    revisions = []
    if project.bundle is not None:
        rows = project.bundle.revisions.order_by("-position").defer("source", "statements")
        revisions = list(rows[:REVISIONS_SHOWN])
    context = {
        "section": "projects",
        "project": project,
        "revisions": revisions,
        "bases": set(project.bundle.bases) if project.bundle else set(),
        "targets": project.targets.select_related("environment").order_by("environment__order", "slug")[:20],
        "may_propose": may(request, "propose"),
    }
    return render(request, "projects/project.html", context)


@require_POST
def sync(request: HttpRequest, slug: str) -> HttpResponse:
    """Reads the project's source again."""
    bundle, is_new = discover.sync(actor=actor_of(request), project=_find(slug))
    told = f"New files: bundle {bundle}." if is_new else "Nothing has changed since the last time."
    messages.success(request, told)
    return redirect("project", slug)


def _find(slug: str) -> Project:
    rows = Project.objects.select_related("bundle").defer("bundle__archive")
    project = rows.filter(slug=slug).first()
    if project is None:
        raise NotFound(f"There is no project {slug}.")
    return project
