"""Who calls, and whether they may see anything at all."""

from __future__ import annotations

from typing import cast

from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from migrations_app.engines import policy
from migrations_app.errors import Forbidden
from migrations_app.models import Actor, ApiToken, User


def actor_of(request: Request) -> Actor:
    """The actor for stage calls, made once a request: its roles cost a query."""
    known = getattr(request, "actor", None)
    if known is None:
        token = cast(ApiToken, request.auth)
        request_id = getattr(request, "request_id", "")
        known = Actor.of(cast(User, request.user), via="api", request_id=request_id, is_machine=token.is_machine)
        request.actor = known  # type: ignore[attr-defined]  # an attribute that we add to the request
    return cast(Actor, known)


class HasRole(BasePermission):
    """The caller's roles may `view.verb` ("read" unless the view says otherwise). Changes are judged by the stages."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        if not request.auth:
            return False
        actor = actor_of(request)
        decision = policy.may(kind=actor.kind, roles=actor.roles, verb=getattr(view, "verb", "read"))
        if not decision.allowed:
            raise Forbidden(decision.reason, code=decision.code)
        return True
