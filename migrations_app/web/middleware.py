"""What every request to the pages gets: an id, the reader's time zone, and refusals told in words."""

from __future__ import annotations

import logging
import re
import uuid
import zoneinfo
from collections.abc import Callable

import structlog
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from migrations_app.errors import TidegateError
from migrations_app.web.failures import refused

log = logging.getLogger(__name__)

Answer = Callable[[HttpRequest], HttpResponse]
# A foreign id goes into logs and the audit, so it must be short and plain.
_SANE_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")


class RequestId:
    """Takes the caller's X-Request-Id when it is sane, else makes one; answers and log lines carry it."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get("X-Request-Id", "")
        request.request_id = given if _SANE_ID.fullmatch(given) else uuid.uuid4().hex  # type: ignore[attr-defined]  # ours: every door reads it
        with structlog.contextvars.bound_contextvars(request_id=request.request_id):  # type: ignore[attr-defined]  # set one line above
            response = self.get_response(request)
        response.headers["X-Request-Id"] = request.request_id  # type: ignore[attr-defined]  # set above
        return response


class TheirZone:
    """Pages show times in the zone of the person who reads them."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        # Asking the user costs a query that API requests, which carry a token, do not need.
        if request.path.startswith("/api/") or not request.user.is_authenticated:
            return self.get_response(request)
        with timezone.override(_zone(request.user.time_zone)):
            return self.get_response(request)


def _zone(name: str) -> zoneinfo.ZoneInfo:
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        return zoneinfo.ZoneInfo("UTC")


class TellErrors:
    """Turns what a stage refuses into a page that says what happened and what to do next."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """None leaves an error that is not ours to Django, whose handler answers 500 with the request's id."""
        if not isinstance(error, TidegateError):
            return None
        log.info("refused", extra={"code": error.code, "path": request.path, "why": error.detail})
        return refused(request, error)
