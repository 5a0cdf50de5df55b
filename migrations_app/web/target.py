"""One target: where its schema stands, its replicas, and what was done to it."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from migrations_app.errors import NotFound
from migrations_app.models import Backfill, Rehearsal, Revision, Rollout, Target
from migrations_app.stages import inventory
from migrations_app.web.people import actor_of, may

SHOWN = 10
PENDING_SHOWN = 50
REHEARSALS_SHOWN = 5


@require_safe
def show(request: HttpRequest, slug: str) -> HttpResponse:
    target = _find(slug)
    rollouts = Rollout.objects.listed().defer("digest_inputs").filter(plans__target=target)
    context = {
        "section": "targets",
        "target": target,
        "replicas": list(target.replicas.all()),
        "pending": _pending(target),
        "rollouts": rollouts[:SHOWN],
        "backfills": Backfill.objects.listed().filter(target=target)[:SHOWN],
        "rehearsals": Rehearsal.objects.listed().filter(target=target)[:REHEARSALS_SHOWN],
        "can_rehearse": bool(settings.TIDEGATE_SCRATCH_URL),
        "may_probe": may(request, "probe"),
        "may_propose": may(request, "propose"),
    }
    return render(request, "targets/target.html", context)


@require_POST
def probe(request: HttpRequest, slug: str) -> HttpResponse:
    """Looks at the target now."""
    seen = inventory.probe(actor=actor_of(request), target=_find(slug))
    if seen.reachable:
        messages.success(request, f"It answers. {seen.reason}".strip())
    else:
        messages.error(request, f"It could not be reached: {seen.reason}")
    return redirect("target", slug)


def _find(slug: str) -> Target:
    target = Target.objects.listed().filter(slug=slug).first()
    if target is None:
        raise NotFound(f"There is no target {slug}.")
    return target


def _pending(target: Target) -> list[Revision]:
    """The revisions between where it stands and the project's heads, in order of execution."""
    if target.project.bundle_id is None or target.schema_state == "unreachable":
        return []
    rows = Revision.objects.filter(bundle_id=target.project.bundle_id).in_order()
    history = list(rows.defer("source", "statements"))
    applied = _ancestors({row.revision: [*row.down_revisions, *row.depends_on] for row in history}, target.current)
    return [row for row in history if row.revision not in applied][:PENDING_SHOWN]


def _ancestors(parents: dict[str, list[str]], heads: list[str]) -> set[str]:
    seen: set[str] = set()
    todo = list(heads)
    while todo:
        revision = todo.pop()
        if revision not in seen:
            seen.add(revision)
            todo += parents.get(revision, [])
    return seen
