"""For a person at a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from migrations_app.engines.reports import places


def report(analysis: Mapping[str, Any], path: str) -> str:
    return "\n".join(_lines(analysis, path))


def _lines(analysis: Mapping[str, Any], path: str) -> Iterator[str]:
    for found in places.of(analysis, path):
        finding = found.finding
        waived = " (waived)" if "waived" in finding else ""
        yield f"{finding['severity'].upper()}{waived} {finding['rule']} ({_where(found)}): {finding['message']}"
        yield f"    Why:      {finding['why']}"
        yield f"    Safe way: {finding['safe_way']}"
    yield from places.notes(analysis)
    yield places.summary(analysis)


def _where(found: places.Place) -> str:
    if found.statement is None:
        revision = found.finding.get("revision")
        return f"revision {revision}, line {found.line}" if revision else f"line {found.line}"
    revision, line = found.statement.get("revision"), found.statement["line"]
    return f"revision {revision}, line {line} of its SQL" if revision else f"line {line}"
