"""Annotations of a GitHub Actions run: workflow commands on stdout, one a finding.

https://docs.github.com/actions/reference/workflow-commands-for-github-actions
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from migrations_app.engines.reports import places

_LEVELS = {"danger": "error", "hazard": "warning", "advice": "notice"}


def report(analysis: Mapping[str, Any], path: str) -> str:
    return "\n".join(_commands(analysis, path))


def _commands(analysis: Mapping[str, Any], path: str) -> Iterator[str]:
    for found in places.of(analysis, path):
        finding = found.finding
        level = "notice" if "waived" in finding else _LEVELS[finding["severity"]]
        where = f"file={_property(found.path)},line={found.line},title={_property(finding['rule'])}"
        yield f"::{level} {where}::{_data(_said(found))}"
    for note in places.notes(analysis):
        level = "error" if analysis["dangerous"] else "warning"
        yield f"::{level} file={_property(path)}::{_data(note)}"
    yield places.summary(analysis)


def _said(found: places.Place) -> str:
    finding = found.finding
    sql = f"\nStatement: {found.statement['sql']}" if found.statement else ""
    return f"{finding['message']}\n{finding['why']}\nSafe way: {finding['safe_way']}{sql}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
