"""A rule, what it hits, and the finding that people read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from migrations_app.engines.risk.facts import Question
from migrations_app.engines.risk.names import bare, quoted

if TYPE_CHECKING:
    from migrations_app.engines.risk.session import Session
    from migrations_app.engines.risk.statements import Statement

Severity = Literal["danger", "hazard", "advice"]
Evidence = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Hit:
    """What a rule's function found: the part that differs from case to case. `why` is the evidence in words.

    `severity` overrides that of the rule. `fails` is the SQLSTATE with which PostgreSQL would refuse the statement.
    """

    message: str
    table: str | None = None
    column: str | None = None
    why: str = ""
    evidence: Evidence = field(default_factory=dict)
    severity: Severity | None = None
    safe_way: str | None = None
    values: Mapping[str, str] = field(default_factory=dict)
    fails: str | None = None
    line: int | None = None
    """For rules of a whole revision: the line of its file."""


Check = Callable[["Statement", "Session"], Iterable[Hit]]
Ask = Callable[["Statement", "Session"], Iterable[Question | None]]


@dataclass(frozen=True, slots=True)
class Rule:
    """Fixed text plus one pure function. `safe_way` may name {table}, {table_name}, {column} and {name}.

    `nodes` are the parse tree nodes it wants to see ("delete_stmt"); an ALTER TABLE is told apart by its subcommand
    ("AT_DropColumn"). Besides there are
    "@lock"       every statement that locks an existing table with SHARE or stronger (`session.footprint`)
    "@held"       every statement that touches an existing table while the transaction holds ACCESS EXCLUSIVE on one
    "@revision"   once for each Alembic revision, `statement.node` being its RevisionSql, before its statements
    "@rehearsal"  once for each rehearsed revision, `statement.node` being its RevisionSql, after its statements
    """

    id: str
    severity: Severity
    nodes: tuple[str, ...]
    what: str
    why: str
    safe_way: str
    check: Check
    destroys: bool = False
    """Whether a danger of this rule is lost rows or values, which nothing brings back: critical."""
    ask: Ask | None = None
    """What the rule wants to know of the rows, asked before `check`; the answers are in `session.facts.answers`."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One risk of one statement: what happens, why it matters here, and how to do it safely."""

    rule: str
    severity: Severity
    message: str
    why: str
    safe_way: str
    table: str | None = None
    column: str | None = None
    evidence: Evidence = field(default_factory=dict)
    fails: str | None = None
    line: int | None = None

    def to_json(self) -> dict[str, Any]:
        answer: dict[str, Any] = {
            "rule": self.rule,
            "severity": self.severity,
            "message": self.message,
            "why": self.why,
            "safe_way": self.safe_way,
        }
        if self.table is not None:
            answer["table"] = self.table
        if self.column is not None:
            answer["column"] = self.column
        if self.line is not None:
            answer["line"] = self.line
        return answer | {"evidence": dict(self.evidence)}


def to_finding(rule: Rule, hit: Hit, *, inside: str) -> Finding:
    """The hit with the texts of its rule, the safe way spelled for this table and column."""
    table = quoted(hit.table or "the_table")
    words = {
        "table": table,
        "table_name": bare(hit.table or "the_table"),
        "column": quoted(hit.column or "the_column"),
        "name": "the_name",
        **hit.values,
    }
    message = f"{hit.message} (inside {inside})" if inside else hit.message
    return Finding(
        rule=rule.id,
        severity=hit.severity or rule.severity,
        message=message,
        why=f"{rule.why} {hit.why}".strip(),
        safe_way=(hit.safe_way or rule.safe_way).format_map(words),
        table=hit.table,
        column=hit.column,
        evidence=hit.evidence,
        fails=hit.fails,
        line=hit.line,
    )
