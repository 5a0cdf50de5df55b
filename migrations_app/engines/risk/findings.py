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


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """Fixed text plus one pure function. `safe_way` may name {table}, {table_name}, {column} and {name}.

    `nodes` are the parse tree nodes it wants to see ("delete_stmt"); an ALTER TABLE is told apart by its subcommand
    ("AT_DropColumn"), also with a kind of constraint ("AT_AddColumn/CONSTR_DEFAULT",
    "AT_AddConstraint/CONSTR_FOREIGN"), a DROP and a RENAME by their object ("drop_stmt/OBJECT_TABLE",
    "rename_stmt/OBJECT_COLUMN"). The narrower, the fewer rules have to look. Besides there are
    "@lock"       every statement that locks an existing table with SHARE or stronger (`session.footprint`)
    "@held"       every statement that touches an existing table while the transaction holds ACCESS EXCLUSIVE on one
    "@revision"   once for each Alembic revision, `statement.node` being its RevisionSql, before its statements
    "@rehearsal"  once for each rehearsed revision, `statement.node` being its RevisionSql, after its statements
    "@loops"      the same, for rules about statements that also see a loop which sends one for each row
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
    """One risk of one statement: what happens, why it matters here, and how to do it safely.

    The texts are put together when they are asked for: most findings of a large input are only counted.
    """

    source: Rule
    hit: Hit
    inside: str = ""
    """What the statement is hidden in: "a DO block"."""
    revision: str | None = None
    """For what is about a revision as a whole."""

    @property
    def rule(self) -> str:
        return self.source.id

    @property
    def severity(self) -> Severity:
        return self.hit.severity or self.source.severity

    @property
    def message(self) -> str:
        return f"{self.hit.message} (inside {self.inside})" if self.inside else self.hit.message

    @property
    def why(self) -> str:
        return f"{self.source.why} {self.hit.why}".strip()

    @property
    def safe_way(self) -> str:
        """Spelled for this table and column."""
        table, column = self.hit.table or "the_table", self.hit.column or "the_column"
        words = {"table": quoted(table), "table_name": bare(table), "column": quoted(column), "name": "the_name"}
        return (self.hit.safe_way or self.source.safe_way).format_map(words | dict(self.hit.values))

    @property
    def evidence(self) -> Evidence:
        return self.hit.evidence

    @property
    def fails(self) -> str | None:
        return self.hit.fails

    def to_json(self) -> dict[str, Any]:
        answer: dict[str, Any] = {
            "rule": self.rule,
            "severity": self.severity,
            "message": self.message,
            "why": self.why,
            "safe_way": self.safe_way,
        }
        if self.revision is not None:
            answer["revision"] = self.revision
        for name in ("table", "column", "line"):
            if (value := getattr(self.hit, name)) is not None:
                answer[name] = value
        return answer | {"evidence": dict(self.hit.evidence)}
