"""One rehearsal: asked for, watched, and what was found in it."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST, require_safe

from migrations_app.errors import NotFound
from migrations_app.models import Rehearsal, Target
from migrations_app.stages import rehearse
from migrations_app.web.live import etag_of, fragment, whole
from migrations_app.web.people import actor_of, may
from migrations_app.web.rehearsed import Seen


@require_POST
def ask(request: HttpRequest, slug: str) -> HttpResponse:
    """Asks for what is between the target and `to`, and shows it; one that holds is shown at once."""
    target = Target.objects.select_related("project__bundle").filter(slug=slug).first()
    if target is None:
        raise NotFound(f"There is no target {slug}.")
    to = request.POST.get("to", "").replace("\0", "").strip() or "head"
    return redirect("rehearsal", rehearse.ask(actor=actor_of(request), target=target, to=to).pk)


@require_safe
def show(request: HttpRequest, rehearsal_id: str) -> HttpResponse:
    """The page; with htmx, the same without what is around it, until it has ended."""
    row = Rehearsal.objects.select_related("target", "bundle__project").filter(pk=rehearsal_id).first()
    if row is None:
        raise NotFound(f"There is no rehearsal {rehearsal_id}.")
    etag = etag_of(row.pk, row.version, request.user.pk)

    def context() -> dict[str, Any]:
        return {
            "section": "targets",
            "rehearsal": row,
            "seen": [Seen(row, found) for found in row.found.revisions] if row.found else [],
            "may_rehearse": may(request, "probe"),
        }

    if request.htmx:  # type: ignore[attr-defined]  # set by django_htmx's middleware
        return fragment(request, "rehearsals/_live.html", context, etag=etag, is_final=row.is_final)
    return whole(request, "rehearsals/rehearsal.html", context(), etag=etag)
