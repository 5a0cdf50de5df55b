"""Lists by cursor: `{"results": [...], "next": url | null}`. A page begins after the last row of the one before."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from django.core import signing
from django.db.models import Model, Q, QuerySet
from rest_framework.request import Request

from migrations_app.errors import Invalid

DEFAULT_LIMIT = 50
MAX_LIMIT = 200


def page(queryset: QuerySet[Any], order: Sequence[str], request: Request) -> tuple[list[Any], str | None]:
    """The rows of the page that was asked for, and the URL of the next one.

    `order` names columns as order_by does; it must end in a unique one, else rows would be left out at a page's end.
    """
    limit = limit_of(request)
    rows = list(after(queryset, order, request)[: limit + 1])
    return cut(rows, order, request, limit)


def after(queryset: QuerySet[Any], order: Sequence[str], request: Request) -> QuerySet[Any]:
    """The rows behind the request's cursor, in order."""
    queryset = queryset.order_by(*order)
    cursor = request.query_params.get("cursor")
    return queryset.filter(_behind(order, _opened(cursor, request))) if cursor else queryset


def cut(rows: list[Any], order: Sequence[str], request: Request, limit: int) -> tuple[list[Any], str | None]:
    """At most `limit` of the rows; with more of them, the URL of the next page."""
    if len(rows) <= limit:
        return rows, None
    rows = rows[:limit]
    query = request.query_params.copy()
    query["cursor"] = signing.dumps([_plain(rows[-1], name) for name in order], salt=_salt(request))
    return rows, request.build_absolute_uri(f"{request.path}?{query.urlencode()}")


def limit_of(request: Request) -> int:
    text = request.query_params.get("limit", str(DEFAULT_LIMIT))
    if not (text.isascii() and text.isdecimal() and len(text) < 5 and 1 <= int(text) <= MAX_LIMIT):
        raise Invalid.field("/limit", f"limit is a number from 1 to {MAX_LIMIT}.")
    return int(text)


def _behind(order: Sequence[str], values: Sequence[Any]) -> Q:
    """(a, b) > (x, y), spelled out as each column may have a direction of its own."""
    condition, equal = Q(pk__in=[]), Q()
    for name, value in zip(order, values, strict=True):
        column, comparison = (name[1:], "lt") if name.startswith("-") else (name, "gt")
        condition |= equal & Q(**{f"{column}__{comparison}": value})
        equal &= Q(**{column: value})
    return condition


def _opened(cursor: str, request: Request) -> list[Any]:
    """The values in a cursor. It is signed, so that nothing but what we wrote reaches the query."""
    try:
        values: list[Any] = signing.loads(cursor, salt=_salt(request))
    except signing.BadSignature:
        raise Invalid.field(
            "/cursor", "This cursor is not one of this list's. Take it from `next`, or leave it out to begin anew."
        ) from None
    return values


def _salt(request: Request) -> str:
    return f"cursor:{request.path}"


def _plain(row: Model, name: str) -> Any:
    value: Any = row
    for part in name.lstrip("-").split("__"):
        value = getattr(value, part)
    return value.isoformat() if isinstance(value, dt.datetime) else value
