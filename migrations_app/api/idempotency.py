"""`Idempotency-Key`: a POST that is sent twice has one effect, and the second gets the first one's answer.

The key is claimed by an INSERT before the work and completed after it, so two that arrive at once cannot both work.
Only answers below 400 are kept. A refusal releases the key: what was wrong may be mended, and the same request sent
again under the same key. A key whose request never ended (the process was killed) stays claimed: nobody knows whether
its work was done, and doing it again is what the key shall prevent.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any, cast

from django.db import IntegrityError
from django.db.models.functions import Now
from django.utils import timezone
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from migrations_app.api.problems import StillRunning
from migrations_app.engines import chain
from migrations_app.errors import Conflict, Invalid, Unprocessable
from migrations_app.models import IdempotencyRecord, User

KEPT = timedelta(days=7)
LONGEST_REQUEST = timedelta(minutes=2)  # above the web server's own timeout: what is older has died
HEADER = "Idempotency-Key"
Handler = Callable[..., Response]


def once(handler: Handler) -> Handler:
    """For a POST that starts work: the key is required."""
    return _guarded(handler, is_required=True)


def once_if_asked(handler: Handler) -> Handler:
    """For other POSTs: the key is honoured where it is given."""
    return _guarded(handler, is_required=False)


def _guarded(handler: Handler, *, is_required: bool) -> Handler:
    @functools.wraps(handler)
    def guarded(view: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
        key = _key(request, is_required)
        if not key:
            return handler(view, request, *args, **kwargs)
        record, is_first = _claim(request, key)
        if not is_first:
            return _replayed(record, _fingerprint(request))
        try:
            response = handler(view, request, *args, **kwargs)
        except BaseException:
            record.delete()
            raise
        _complete(record, response)
        return response

    guarded.needs_key = is_required  # type: ignore[attr-defined]  # api/schema.py documents the header from it
    return guarded


def _key(request: Request, is_required: bool) -> str:
    key = request.headers.get(HEADER, "").strip()
    if is_required and not key:
        raise Invalid(
            f"This starts work, so it needs the header {HEADER}: any text of your own (a UUID will do), the same "
            "when you repeat the request.",
            code="idempotency_key_missing",
        )
    if len(key) > 255:
        raise Invalid(f"{HEADER} is longer than 255 characters.")
    return key


def _claim(request: Request, key: str) -> tuple[IdempotencyRecord, bool]:
    user = cast(User, request.user)
    IdempotencyRecord.objects.filter(user=user, created_at__lt=Now() - KEPT).delete()
    try:
        return IdempotencyRecord.objects.get_or_create(
            user=user,
            key=key,
            method=request.method or "",
            path=request.path,
            defaults={"body_sha256": _fingerprint(request)},
        )
    except IntegrityError:  # the first request failed, and released the key, between our INSERT and our SELECT
        raise StillRunning from None


def _replayed(record: IdempotencyRecord, fingerprint: str) -> Response:
    if record.body_sha256 != fingerprint:
        raise Unprocessable(
            f"This {HEADER} was used before with another body. Use a new one for a new request.",
            code="idempotency_key_reused",
        )
    if record.status is not None:
        headers = {"Idempotency-Replayed": "true"}
        if record.location:
            headers["Location"] = record.location
        return Response(record.body, status=record.status, headers=headers)
    if record.created_at < timezone.now() - LONGEST_REQUEST:
        raise Conflict(
            "The first request with this key ended without an answer, and may have done its work. Look whether it "
            f"did; if not, send it again with a new {HEADER}.",
            code="outcome_unknown",
        )
    raise StillRunning


def _complete(record: IdempotencyRecord, response: Response) -> None:
    if response.status_code >= 400:
        record.delete()
        return
    record.status = response.status_code
    record.body = json.loads(JSONRenderer().render(response.data) or b"null")
    record.location = response.headers.get("Location", "")
    record.save(update_fields=["status", "body", "location"])


def _fingerprint(request: Request) -> str:
    """Of the content, not of its spelling: a client may write the keys of an object in another order."""
    data = request.data if isinstance(request.data, bytes) else chain.canonical(request.data)
    return hashlib.sha256(data).hexdigest()
