"""What the frame around every page shows: the menu, the theme, and how much waits for this person."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from migrations_app.web.people import actor_of, person
from migrations_app.web.preferences import theme_of
from migrations_app.web.waiting import count_for

MENU = (
    ("home", "Home", "/"),
    ("targets", "Targets", "/targets/"),
    ("projects", "Projects", "/projects/"),
    ("rollouts", "Rollouts", "/rollouts/"),
    ("backfills", "Backfills", "/backfills/"),
    ("approvals", "Approvals", "/approvals/"),
    ("waivers", "Waivers", "/waivers/"),
    ("audit", "Audit", "/audit/"),
)


def shell(request: HttpRequest) -> dict[str, Any]:
    """Lazy, so that fragments and error pages ask the database for nothing."""
    return {
        "menu": MENU,
        "theme": theme_of(request),
        "waiting_count": SimpleLazyObject(lambda: _waiting(request)),
    }


def _waiting(request: HttpRequest) -> int:
    return count_for(person(request), actor_of(request)) if request.user.is_authenticated else 0
