"""The buttons that a status offers, each with why this person may not press it."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest

from migrations_app.models import Backfill, Rollout
from migrations_app.web.people import may


@dataclass(frozen=True)
class Action:
    """One verb of a stage. `why_not` is empty when the button may be pressed."""

    verb: str
    label: str
    tone: str
    icon: str
    why_not: str


_LOOKS = {
    "start": ("Start", "primary", "play"),
    "pause": ("Pause", "plain", "pause"),
    "resume": ("Resume", "primary", "play"),
    "retry": ("Retry what failed", "primary", "retry"),
    "cancel": ("Cancel", "danger", "cross"),
}
ROLLOUT_VERBS = {
    "planning": ("cancel",),
    "awaiting_approval": ("cancel",),
    "approved": ("start", "cancel"),
    "scheduled": ("cancel",),
    "running": ("pause", "cancel"),
    "paused": ("resume", "cancel"),
    "failed": ("retry",),
}
BACKFILL_VERBS = {
    "awaiting_approval": ("cancel",),
    "approved": ("start", "cancel"),
    "running": ("pause", "cancel"),
    "pausing": ("cancel",),
    "paused": ("resume", "cancel"),
    "verifying": ("cancel",),
    "failed": ("resume", "cancel"),
}


def actions_for(request: HttpRequest, row: Rollout | Backfill) -> list[Action]:
    """The buttons for the row's status, in the order in which they are shown."""
    verbs = (ROLLOUT_VERBS if isinstance(row, Rollout) else BACKFILL_VERBS).get(row.status, ())
    return [_action(request, row, verb) for verb in verbs]


def _action(request: HttpRequest, row: Rollout | Backfill, verb: str) -> Action:
    label, tone, icon = _LOOKS[verb]
    if verb == "cancel":
        decision = may(request, "cancel", is_author=row.author_id == request.user.pk)
    else:
        decision = may(request, "operate")
    asked = getattr(row, "asked", "")
    why_not = f"A {asked} was asked for already: the step in progress ends first." if asked == verb else ""
    return Action(verb, label, tone, icon, why_not or ("" if decision.allowed else decision.reason))
