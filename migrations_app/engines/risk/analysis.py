"""The result of an analysis: what each statement does and what was found, and the JSON that every door gives out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any, Literal

from migrations_app.engines.risk.findings import Finding
from migrations_app.engines.risk.locking.lock_modes import stronger

Level = Literal["low", "medium", "high", "critical"]
LEVELS: tuple[Level, ...] = ("low", "medium", "high", "critical")
"""Mildest first. Medium: a hazard. High: dangerous. Critical: rows or values would be lost for good."""

_FAILURES = {
    "25001": "It cannot run inside a transaction block.",
    "23502": "Existing rows would hold NULL in a column that forbids it.",
    "23503": "Existing rows point to rows that do not exist.",
    "23505": "Existing rows hold the same value more than once.",
    "23514": "Existing rows break the condition.",
    "22001": "Existing values are longer than the new type allows.",
    "22003": "Existing values are out of the range of the new type.",
    "22P02": "Existing values cannot be read as the new type.",
    "2BP01": "Other objects depend on it, and CASCADE was not given.",
    "42809": "PostgreSQL does not do this with this kind of object.",
    "0A000": "PostgreSQL does not support this here.",
    "55P04": "A new enum label cannot be used before the transaction that adds it has committed.",
}
_REFUSED = "PostgreSQL would refuse it."


# Not frozen for the sake of speed, like Statement.
@dataclass(slots=True)
class Judged:
    """One statement with its locks and findings. `lock` counts only tables that existed before the input."""

    index: int
    line: int
    sql: str
    kind: str
    tables: tuple[str, ...]
    lock: str | None
    rewrite: bool
    scan: bool
    findings: tuple[Finding, ...]
    revision: str | None = None

    def to_json(self) -> dict[str, Any]:
        answer: dict[str, Any] = {"index": self.index, "line": self.line, "sql": self.sql, "kind": self.kind}
        if self.revision is not None:
            answer["revision"] = self.revision
        return answer | {
            "tables": list(self.tables),
            "lock": self.lock,
            "rewrite": self.rewrite,
            "scan": self.scan,
            "findings": [finding.to_json() for finding in self.findings],
        }


@dataclass(frozen=True, slots=True)
class Analysis:
    """The verdict. `opaque` lists in words what could not be seen into; any of it is dangerous until rehearsed."""

    statements: tuple[Judged, ...]
    opaque: tuple[str, ...]
    facts: Literal["catalog", "none"]
    of_revision: tuple[Finding, ...] = ()
    """What is about a revision as a whole: its downgrade, its Python."""
    rehearsed: bool = False
    """Whether the statements are those that a rehearsal recorded."""
    revision: str | None = None

    @property
    def findings(self) -> list[Finding]:
        return [*self.of_revision, *(finding for statement in self.statements for finding in statement.findings)]

    @property
    def dangerous(self) -> bool:
        """Whether it needs a human."""
        return bool(self.opaque) or any(finding.severity == "danger" for finding in self.findings)

    @property
    def hazards(self) -> list[str]:
        """The ids of the rules that found a danger or a hazard, each once, in order of appearance."""
        found = [finding.rule for finding in self.findings if finding.severity != "advice"]
        return list(dict.fromkeys([*found, "opaque-code"] if self.opaque else found))

    @property
    def level(self) -> Level:
        if any(f.severity == "danger" and f.source.destroys for f in self.findings):
            return "critical"
        if self.dangerous:
            return "high"
        return "medium" if self.hazards else "low"

    @property
    def fails(self) -> dict[str, str] | None:
        """The first refusal by PostgreSQL that can be foreseen."""
        of_statements = (finding for statement in self.statements for finding in statement.findings)
        code = next((finding.fails for finding in of_statements if finding.fails), None)
        return {"sqlstate": code, "message": _FAILURES.get(code, _REFUSED)} if code else None

    @property
    def _reached(self) -> Sequence[Judged]:
        """The statements up to the first that PostgreSQL refuses: those after it never run."""
        for count, statement in enumerate(self.statements, start=1):
            if any(finding.fails for finding in statement.findings):
                return self.statements[:count]
        return self.statements

    def to_json(self) -> dict[str, Any]:
        """Exactly the contract of an analysis."""
        return {
            "dangerous": self.dangerous,
            "level": self.level,
            "statements": [statement.to_json() for statement in self.statements],
            "findings": [finding.to_json() for finding in self.of_revision],
            "hazards": self.hazards,
            "lock": reduce(stronger, (statement.lock for statement in self._reached), None),
            "rewrite": any(statement.rewrite for statement in self._reached),
            "opaque": list(self.opaque),
            "facts": self.facts,
            "rehearsed": self.rehearsed,
            "fails": self.fails,
        }


def combine(analyses: Sequence[Analysis]) -> Analysis:
    """Several inputs as one verdict; statements are counted on."""
    all_statements = [statement for analysis in analyses for statement in analysis.statements]
    has_facts = bool(analyses) and all(analysis.facts == "catalog" for analysis in analyses)
    return Analysis(
        tuple(replace(statement, index=index) for index, statement in enumerate(all_statements)),
        tuple(_named(reason, analysis.revision) for analysis in analyses for reason in analysis.opaque),
        "catalog" if has_facts else "none",
        tuple(finding for analysis in analyses for finding in analysis.of_revision),
        bool(analyses) and all(analysis.rehearsed for analysis in analyses),
    )


def _named(reason: str, revision: str | None) -> str:
    return f"revision {revision}: {reason}" if revision else reason
