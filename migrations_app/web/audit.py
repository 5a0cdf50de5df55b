"""The audit: who did what, and the proof that nobody changed it since."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from migrations_app.models import AuditEvent
from migrations_app.stages import audit
from migrations_app.web.paging import page_of
from migrations_app.web.people import actor_of

FILTERS = ("object_type", "object_id", "actor", "action", "outcome")


@require_http_methods(["GET", "HEAD", "POST"])
def index(request: HttpRequest) -> HttpResponse:
    """The newest first. A POST also checks the whole chain: it changes nothing, but takes a while."""
    rows = AuditEvent.objects.all()
    chosen = {name: request.GET.get(name, "").strip().replace("\0", "") for name in FILTERS}
    for name, value in chosen.items():
        if value:
            rows = rows.filter(**{name: value})
    context = {
        "section": "audit",
        "page": page_of(request, rows, by="seq", newest_first=True),
        "filters": chosen,
        "verified": audit.verify(actor=actor_of(request)) if request.method == "POST" else None,
    }
    return render(request, "audit/index.html", context)
