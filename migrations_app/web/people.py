"""Who looks at a page, and what they may do there."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, cast

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django_htmx.http import HttpResponseClientRefresh

from migrations_app.engines import policy
from migrations_app.errors import Forbidden
from migrations_app.models import Actor, User

View = Callable[..., HttpResponse]


def person(request: HttpRequest) -> User:
    """The user behind the session; only for views under `reader`."""
    return cast(User, request.user)


def actor_of(request: HttpRequest) -> Actor:
    """The actor for a stage call, read once a request."""
    known = getattr(request, "actor", None)
    if known is None:
        known = Actor.of(person(request), via="web", request_id=getattr(request, "request_id", ""))
        request.actor = known  # type: ignore[attr-defined]  # ours, so that roles are asked for once
    return cast(Actor, known)


def may(request: HttpRequest, verb: str, **circumstances: Any) -> policy.Decision:
    """Whether to offer a button. The stage decides again when it is pressed."""
    actor = actor_of(request)
    return policy.may(kind=actor.kind, roles=actor.roles, verb=verb, **circumstances)


def reader(view: View, *, verb: str = "read") -> View:
    """The view is for people who are signed in and have a role that may `verb`."""

    @functools.wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not request.user.is_authenticated:
            if getattr(request, "htmx", False):
                return HttpResponseClientRefresh()  # else the sign-in page would be swapped into a fragment
            return redirect_to_login(request.get_full_path())
        decision = may(request, verb)
        if not decision.allowed:
            raise Forbidden(decision.reason, code=decision.code)
        return view(request, *args, **kwargs)

    return guarded
