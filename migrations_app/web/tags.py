"""Template filters and tags: `{% load tidegate %}`."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from django import template
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from migrations_app.models import Backfill, Rehearsal, Rollout, Step, Target
from migrations_app.web import figures
from migrations_app.web import sql as code

register = template.Library()

register.filter("sql", code.sql)
register.filter("python", code.python)
register.filter("boxed", code.boxed)
register.filter("has_hidden", code.has_hidden)

_KINDS = {Rollout: "rollout", Step: "step", Backfill: "backfill", Rehearsal: "rehearsal"}


@register.filter
def partial(row: Rollout | Step | Backfill | Rehearsal | Target) -> str:
    """The template that says what the row's status means: `{% include row|partial %}`."""
    if isinstance(row, Target):
        return f"status/target/_{row.schema_state}.html"
    return f"status/{_KINDS[type(row)]}/_{row.status}.html"


@register.filter
def when(at: datetime | None) -> SafeString | str:
    """A moment in the reader's zone, named; the machine-readable one beside it."""
    if at is None:
        return "—"
    local = timezone.localtime(at)
    return format_html(
        '<time datetime="{}">{}&nbsp;<span class="zone">{}</span></time>',
        at.isoformat(timespec="seconds"),
        local.strftime("%Y-%m-%d %H:%M:%S"),
        local.strftime("%Z"),
    )


@register.filter
def ago(at: datetime | None) -> SafeString | str:
    """How long ago, with the moment itself on hover, on focus and for machines."""
    if at is None:
        return "never"
    local = timezone.localtime(at)
    distance_s = (timezone.now() - at).total_seconds()
    words = f"{_coarse(distance_s)} ago" if distance_s >= 0 else f"in {_coarse(-distance_s)}"
    return format_html(
        '<time datetime="{}" title="{}" tabindex="0">{}</time>',
        at.isoformat(timespec="seconds"),
        local.strftime("%Y-%m-%d %H:%M:%S %Z"),
        words,
    )


def _coarse(seconds: float) -> str:
    """One unit is enough for an age."""
    return " ".join(figures.how_long(max(seconds, 1)).split()[:2])


@register.filter
def duration(seconds: float | None) -> str:
    return "—" if seconds is None else figures.how_long(seconds)


@register.filter
def duration_ms(milliseconds: float | None) -> str:
    return "" if milliseconds is None else figures.how_long(milliseconds / 1000)


@register.filter
def number(value: float | None) -> str:
    return "—" if value is None else figures.grouped(value)


@register.filter
def size(value: int | None) -> str:
    return figures.how_much(value) or "—"


@register.filter
def percent(fraction: float | None) -> str:
    """Never 100 % before the end: the last per mille of a backfill can take long."""
    if fraction is None:
        return "—"
    return "100" if fraction >= 1 else f"{min(fraction * 100, 99.9):.1f}"


@register.filter
def version(server_version_num: int | None) -> str:
    """150007 -> 15.7"""
    return "—" if server_version_num is None else f"{server_version_num // 10_000}.{server_version_num % 10_000}"


@register.filter
def listed(names: Any) -> str:
    """ "a, b", or a dash when there are none."""
    return ", ".join(str(name) for name in names or ()) or "—"


@register.filter
def humane(word: str) -> str:
    """awaiting_approval -> awaiting approval"""
    return word.replace("_", " ")


@register.simple_tag
def icon(name: str) -> SafeString:
    """One of static/icons.svg; decoration, since the text beside it says the same."""
    return format_html(
        '<svg class="icon" aria-hidden="true" focusable="false"><use href="{}#{}"></use></svg>',
        static("icons.svg"),
        name,
    )


@register.filter
def words(text: str) -> list[str]:
    return text.split()


@register.filter
def clock(at: datetime) -> SafeString:
    """The time of day with its zone, for the lines of a log."""
    local = timezone.localtime(at)
    return format_html(
        '<time datetime="{}" title="{}">{}&nbsp;<span class="zone">{}</span></time>',
        at.isoformat(timespec="milliseconds"),
        local.strftime("%Y-%m-%d"),
        local.strftime("%H:%M:%S"),
        local.strftime("%Z"),
    )


@register.filter
def took(row: Step | Backfill | Rollout) -> str:
    """How long it ran; empty while it has not ended."""
    if row.started_at is None or row.finished_at is None:
        return ""
    return figures.how_long((row.finished_at - row.started_at).total_seconds())


@register.filter
def if_none_match(etag: str) -> str:
    """What htmx sends with the next poll, as the JSON of `hx-headers`; the template escapes it."""
    return json.dumps({"If-None-Match": etag})


@register.filter
def told(payload: dict[str, Any]) -> str:
    """The words in an audit entry's payload: why, or what the person wrote."""
    return str(payload.get("reason") or payload.get("comment") or "")


@register.filter
def between(low_s: float, high_s: float) -> str:
    """A range of durations: "20 min to 26 min", or one when both round to the same."""
    low, high = _coarse(low_s), _coarse(high_s)
    return f"about {high}" if low == high else f"{low} to {high}"


@register.filter("json")
def as_json(value: Any) -> str:
    """A value of the target as JSON, which tells NULL from an empty text and a number from its digits."""
    return "NULL" if value is None else json.dumps(value, ensure_ascii=False)


@register.filter
def value(row: dict[str, Any], column: str) -> str:
    """The row's value in a column that the template only knows by a variable."""
    return as_json(row.get(column))
