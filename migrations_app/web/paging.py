"""Lists by cursor: a page starts after the last row of the one before, so rows neither repeat nor go missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest

PER_PAGE = 50


@dataclass(frozen=True)
class Page:
    """`next_query` and `first_query` are query strings that keep the filters; empty when there is no such page."""

    rows: list[Any]
    next_query: str
    first_query: str
    is_filtered: bool


def page_of(request: HttpRequest, rows: QuerySet[Any], *, by: str, newest_first: bool = False) -> Page:
    """The page that the query string asks for. `by` is a unique field, and the list's order."""
    ordered = rows.order_by(f"-{by}" if newest_first else by)
    after = request.GET.get("after", "")
    if after and _fits(rows, by, after):
        ordered = ordered.filter(**{f"{by}__{'lt' if newest_first else 'gt'}": after})
    found = list(ordered[: PER_PAGE + 1])
    shown = found[:PER_PAGE]
    more = len(found) > PER_PAGE
    return Page(
        rows=shown,
        next_query=_query(request, after=str(getattr(shown[-1], by))) if more else "",
        first_query=_query(request, after="") or "?" if after else "",
        is_filtered=any(value for name, value in request.GET.items() if name != "after"),
    )


def _fits(rows: QuerySet[Any], by: str, after: str) -> bool:
    """A cursor from a mangled link is no reason for an error page: the list then starts at its beginning."""
    is_number = rows.model._meta.get_field(by).get_internal_type().endswith("IntegerField")
    return after.isdecimal() and len(after) < 19 if is_number else "\0" not in after


def _query(request: HttpRequest, *, after: str) -> str:
    query = request.GET.copy()
    query.pop("after", None)
    for name in [name for name, value in query.items() if not value]:
        del query[name]
    if after:
        query["after"] = after
    return f"?{query.urlencode()}" if query else ""
