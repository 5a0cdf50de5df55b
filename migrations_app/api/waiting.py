"""`GET ...?wait=30`: answers at once when the row changes, is final, or differs from what If-None-Match knows."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from rest_framework.request import Request

from migrations_app.errors import Invalid

LONGEST_S = 60
POLL_S = 0.25
# Each wait holds a thread of the web server. With no seat left a request is answered at once, as without ?wait=,
# so that those who only wait cannot keep out those who decide.
_seats = threading.BoundedSemaphore(24)


@dataclass(frozen=True)
class Seen:
    """A row as it stands: the ETag changes with everything that its answer shows."""

    etag: str
    is_final: bool


def settled(request: Request, look: Callable[[], Seen]) -> Seen:
    """What `look` sees once there is something to tell, or the time that the caller would wait is over."""
    seen = look()
    return changed(look, seen, known_etag(request) or seen.etag, wait_s=_seconds(request))


def changed(look: Callable[[], Seen], seen: Seen, known: str, *, wait_s: float) -> Seen:
    """What `look` sees once it is final or differs from `known`, or the time is over; `seen` is how it stands now."""
    if not wait_s or seen.is_final or seen.etag != known or not _seats.acquire(blocking=False):
        return seen
    try:
        deadline = time.monotonic() + wait_s
        while seen.etag == known and not seen.is_final and (left_s := deadline - time.monotonic()) > 0:
            time.sleep(min(POLL_S, left_s))
            seen = look()
        return seen
    finally:
        _seats.release()


def known_etag(request: Request) -> str:
    """The ETag that the caller has, or "". One is enough: our own clients keep one answer."""
    return request.headers.get("If-None-Match", "").strip().removeprefix("W/")


def _seconds(request: Request) -> float:
    text = request.query_params.get("wait", "0")
    if not (text.isascii() and text.isdecimal()):
        raise Invalid.field("/wait", f"wait is a number of seconds, at most {LONGEST_S}.")
    return min(float(text), LONGEST_S)
