"""Each finding with the place where a person finds it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Place:
    """`line` counts from 1 in the file `path`; `statement` is None for what is about a revision as a whole."""

    finding: Mapping[str, Any]
    path: str
    line: int
    statement: Mapping[str, Any] | None = None


def of(analysis: Mapping[str, Any], path: str) -> Iterator[Place]:
    """All findings, those about whole revisions first.

    The SQL of a revision is not in its file, which holds Python: the line is then that of the file's beginning.
    """
    for finding in analysis["findings"]:
        yield Place(finding, finding.get("path", path), finding.get("line", 1))
    for statement in analysis["statements"]:
        for finding in statement["findings"]:
            yield place(finding, statement, path)


def place(finding: Mapping[str, Any], statement: Mapping[str, Any], path: str) -> Place:
    line = 1 if "revision" in statement else statement["line"]
    return Place(finding, statement.get("path", path), line, statement)


def notes(analysis: Mapping[str, Any]) -> list[str]:
    """What the analysis could not see, and what PostgreSQL would refuse, in words."""
    said = [f"Not seen: {reason}" for reason in analysis["opaque"]]
    if analysis["fails"]:
        said.append(f"It would fail with {analysis['fails']['sqlstate']}: {analysis['fails']['message']}")
    if analysis.get("degraded"):
        said.append(analysis["degraded"])
    return said


def summary(analysis: Mapping[str, Any]) -> str:
    """The verdict in one line."""
    count = len(analysis["statements"])
    says = "DANGEROUS, a person has to approve it" if analysis["dangerous"] else "nothing dangerous"
    locks = f"strongest lock {analysis['lock']}" if analysis["lock"] else "no lock on an existing table"
    known = "with the database's catalog" if analysis["facts"] == "catalog" else "from the SQL alone"
    statements = "1 statement" if count == 1 else f"{count} statements"
    return f"{statements}, level {analysis['level']}: {says}; {locks}; judged {known}."
