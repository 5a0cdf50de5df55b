"""`Authorization: Bearer tg_...`, and nothing else: a browser's session is no way into the API."""

from __future__ import annotations

from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from migrations_app.errors import Unauthenticated
from migrations_app.models import ApiToken, User
from migrations_app.stages import access


class BearerToken(BaseAuthentication):
    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        scheme, _, text = get_authorization_header(request).decode("latin-1").partition(" ")
        if scheme.lower() != "bearer":
            return None
        try:
            return access.authenticate(text.strip())
        except Unauthenticated as error:
            raise AuthenticationFailed(error.detail, code=error.code) from None

    def authenticate_header(self, request: Request) -> str:  # noqa: ARG002 - the name and arguments are DRF's
        return 'Bearer realm="tidegate"'
