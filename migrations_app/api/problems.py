"""Every refusal as RFC 9457 `application/problem+json`, whichever of our own, DRF's or Django's errors it was."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.db import DataError, OperationalError
from django.http import Http404, HttpRequest, JsonResponse
from django.http.request import UnreadablePostError
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response

from migrations_app.errors import Conflict, FieldError, Invalid, NotFound, TidegateError, TooLarge

log = logging.getLogger(__name__)
CONTENT_TYPE = "application/problem+json"
CODES = {
    exceptions.ParseError: "malformed",
    exceptions.AuthenticationFailed: "unauthenticated",
    exceptions.NotAuthenticated: "unauthenticated",
    exceptions.PermissionDenied: "forbidden",
    exceptions.NotFound: "not_found",
    exceptions.MethodNotAllowed: "method_not_allowed",
    exceptions.NotAcceptable: "not_acceptable",
    exceptions.UnsupportedMediaType: "unsupported_media_type",
    exceptions.Throttled: "throttled",
}
NO_TOKEN = "Send a token: `Authorization: Bearer tg_...`. `manage.py token create` makes one."  # noqa: S105  # words about tokens, not one
OUR_FAULT = (
    "Something failed inside Tidegate, and it was logged under this request id. What was asked for may or may not "
    "have been done: look at it before you ask again."
)


class StillRunning(Conflict):
    """The first request with this Idempotency-Key is still at work: wait, then send the same again"""

    code = "idempotency_key_busy"


def problem(error: Exception, context: Mapping[str, Any]) -> Response:
    """DRF's exception handler."""
    request = context["request"]
    headers: dict[str, str] = {}
    if isinstance(error, StillRunning):
        headers["Retry-After"] = "1"
    body = _of_tidegate(error) or _of_drf(error, headers) or _of_django(error, headers)
    if body is None:
        log.exception("a request failed", exc_info=error, extra={"path": request.path})
        body = describe(500, "internal", OUR_FAULT)
    elif body["status"] >= 500:
        log.error("a request failed", exc_info=error, extra={"path": request.path, "code": body["code"]})
    body["request_id"] = _request_id(request)
    return Response(body, status=body["status"], headers=headers, content_type=CONTENT_TYPE)


def outside_drf(request: HttpRequest, error: TidegateError | None = None) -> JsonResponse:
    """The same shape for what is refused, or fails, below /api/ outside of DRF. Without an error: handler500."""
    body = (error and _of_tidegate(error)) or describe(500, "internal", OUR_FAULT)
    body["request_id"] = _request_id(request)
    return JsonResponse(body, status=body["status"], content_type=CONTENT_TYPE)


def describe(
    status: int, code: str, detail: str, *, title: str = "", errors: Sequence[FieldError] = ()
) -> dict[str, Any]:
    """A problem without its request id. `type` is an identifier: clients branch on it or on `code`."""
    return {
        "type": f"urn:tidegate:problem:{code}",
        "title": title or HTTPStatus(status).phrase,
        "status": status,
        "detail": detail or title,
        "code": code,
        "request_id": "",
        "errors": [asdict(error) for error in errors],
    }


def field_errors(detail: Any, pointer: str = "") -> Iterator[FieldError]:
    """DRF's nested errors as one flat list of JSON pointers (RFC 6901)."""
    if isinstance(detail, Mapping):
        for name, inner in detail.items():
            # DRF puts what concerns the object as a whole below this name; its pointer is the object's own.
            step = "" if name == "non_field_errors" else "/" + str(name).replace("~", "~0").replace("/", "~1")
            yield from field_errors(inner, pointer + step)
    elif isinstance(detail, list):
        for index, inner in enumerate(detail):
            is_text = isinstance(inner, str)
            yield from [FieldError(pointer, str(inner))] if is_text else field_errors(inner, f"{pointer}/{index}")
    else:
        yield FieldError(pointer, str(detail))


def _of_tidegate(error: Exception) -> dict[str, Any] | None:
    if not isinstance(error, TidegateError):
        return None
    return describe(error.status, error.code, error.detail, title=error.title, errors=error.errors)


def _of_drf(error: Exception, headers: dict[str, str]) -> dict[str, Any] | None:
    if isinstance(error, Http404 | PermissionDenied):
        error = exceptions.NotFound() if isinstance(error, Http404) else exceptions.PermissionDenied()
    if not isinstance(error, exceptions.APIException):
        return None
    if isinstance(error, exceptions.ValidationError):
        errors = list(field_errors(error.detail))
        detail = errors[0].detail if len(errors) == 1 else f"{len(errors)} fields are wrong."
        return _of_tidegate(Invalid(detail, errors=errors))
    if getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = str(error.auth_header)  # type: ignore[attr-defined]  # DRF's views set it
    wait_s = getattr(error, "wait", None)  # only Throttled has it
    if wait_s is not None:
        headers["Retry-After"] = str(int(wait_s) + 1)
    if isinstance(error, exceptions.NotFound):
        return _of_tidegate(NotFound())
    detail = NO_TOKEN if isinstance(error, exceptions.NotAuthenticated) else str(error.detail)
    return describe(error.status_code, CODES.get(type(error), "error"), detail)


def _of_django(error: Exception, headers: dict[str, str]) -> dict[str, Any] | None:
    if isinstance(error, RequestDataTooBig):
        return _of_tidegate(TooLarge("The body is larger than 1 MiB."))
    if isinstance(error, DataError | UnicodeEncodeError):
        return describe(
            400, "invalid", "A value has characters that cannot be kept (NUL, half of a pair), or is too long."
        )
    if isinstance(error, UnreadablePostError):
        return describe(400, "malformed", "The body ended before its Content-Length.")
    if isinstance(error, OperationalError):
        headers["Retry-After"] = "5"
        return describe(503, "unavailable", "Tidegate's own database does not answer. Try again in some seconds.")
    return None


def _request_id(request: Request | HttpRequest) -> str:
    return str(getattr(request, "request_id", ""))
