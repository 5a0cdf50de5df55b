"""Fragments that are polled: cheap while nothing changes, and ended when nothing will."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseNotModified
from django.shortcuts import render
from django_htmx.http import HttpResponseStopPolling


def etag_of(*parts: object) -> str:
    """An ETag of everything that the fragment depends on: the row's version, its children's, and who reads it."""
    return f'"{hashlib.sha256(repr(parts).encode()).hexdigest()[:20]}"'


def fragment(
    request: HttpRequest, template: str, make_context: Callable[[], dict[str, Any]], *, etag: str, is_final: bool
) -> HttpResponse:
    """The fragment; 304 when the browser has it already; 286, which ends the polling, at a final state."""
    if request.headers.get("If-None-Match") == etag and not is_final:
        return HttpResponseNotModified(headers={"ETag": etag})
    page = render(request, template, {**make_context(), "etag": etag, "is_fragment": True})
    response: HttpResponse = HttpResponseStopPolling(page.content) if is_final else page
    response.headers["ETag"] = etag
    return _fresh(response)


def whole(
    request: HttpRequest, template: str, context: dict[str, Any], *, etag: str, status: int = 200
) -> HttpResponse:
    """The same view without htmx: the whole page, whose fragment carries the ETag for the first poll."""
    return _fresh(render(request, template, {**context, "etag": etag}, status=status))


def _fresh(response: HttpResponse) -> HttpResponse:
    # One URL has two answers, and neither may come from a cache that others share.
    response.headers["Vary"] = "HX-Request, Cookie"
    response.headers["Cache-Control"] = "private, no-store"
    return response
