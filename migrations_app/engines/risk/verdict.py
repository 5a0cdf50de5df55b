"""The verdict on an input: what each statement does, what is dangerous about it, and how it is done safely."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from migrations_app.engines.risk import effects, locks, names, nested, registry, statements
from migrations_app.engines.risk.facts import Facts
from migrations_app.engines.risk.findings import Finding, to_finding
from migrations_app.engines.risk.lock_modes import stronger
from migrations_app.engines.risk.registry import RULESET_VERSION
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement
from migrations_app.errors import TidegateError

__all__ = [
    "LEVELS",
    "RULESET_VERSION",
    "Analysis",
    "Judged",
    "RevisionSql",
    "analyse",
    "analyse_each",
    "combine",
    "needed_tables",
]

Level = Literal["low", "medium", "high", "critical"]
LEVELS: tuple[Level, ...] = ("low", "medium", "high", "critical")
"""Mildest first. Medium: a hazard. High: dangerous. Critical: rows or values would be lost for good."""

_WORST_FIRST = ("danger", "hazard", "advice")
_FAILURES = {
    "25001": "It cannot run inside a transaction block.",
    "23502": "Existing rows would hold NULL in a column that forbids it.",
}


@dataclass(frozen=True, slots=True)
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

    @property
    def findings(self) -> list[Finding]:
        return [finding for statement in self.statements for finding in statement.findings]

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
        if any(f.severity == "danger" and registry.RULES[f.rule].destroys for f in self.findings):
            return "critical"
        if self.dangerous:
            return "high"
        return "medium" if self.hazards else "low"

    @property
    def fails(self) -> dict[str, str] | None:
        """The first refusal by PostgreSQL that can be foreseen."""
        code = next((finding.fails for finding in self.findings if finding.fails), None)
        return {"sqlstate": code, "message": _FAILURES[code]} if code else None

    def to_json(self) -> dict[str, Any]:
        """Exactly the contract of an analysis."""
        lock = None
        for statement in self.statements:
            lock = stronger(lock, statement.lock)
        return {
            "dangerous": self.dangerous,
            "level": self.level,
            "statements": [statement.to_json() for statement in self.statements],
            "hazards": self.hazards,
            "lock": lock,
            "rewrite": any(statement.rewrite for statement in self.statements),
            "opaque": list(self.opaque),
            "facts": self.facts,
            "rehearsed": False,
            "fails": self.fails,
        }


@dataclass(frozen=True, slots=True)
class RevisionSql:
    """What one revision runs. `opaque` says why its SQL is not all of it (Python that asks the database), if so.

    `autocommit` has a flag for each text, True when it runs outside of the transaction; empty means that none does.
    """

    revision: str
    sql: Sequence[str]
    opaque: str | None = None
    is_transactional: bool = True
    autocommit: Sequence[bool] = ()


def analyse(
    sql: str | Sequence[str],
    *,
    facts: Facts | None = None,
    server_version: int = 150000,
    transactional: bool = True,
    revision: str | None = None,
    opaque: str | None = None,
) -> Analysis:
    """Judge one input. `transactional`: whether the caller runs it inside a transaction. Raises Invalid for bad SQL."""
    parsed = statements.parse(sql)
    session = Session(
        facts,
        server_version=facts.server_version if facts else server_version,
        is_transactional=transactional,
        statements=parsed,
    )
    return _judge(parsed, session, revision, opaque)


def analyse_each(
    revisions: Iterable[RevisionSql], *, facts: Facts | None = None, server_version: int = 150000
) -> list[Analysis]:
    """Judge revisions in order of execution, each on its own, knowing the types and names that earlier ones leave.

    With a catalog, what an earlier pending revision makes is as new as if this one made it. Without one, the history
    is years of releases: what an earlier revision made exists and holds data.
    """
    version = facts.server_version if facts else server_version
    session = Session(facts, server_version=version, is_transactional=True, statements=[])
    found = []
    for revision in revisions:
        found.append(_judge_revision(revision, session))
        if facts is None:
            session.settle()
    return found


def _judge_revision(revision: RevisionSql, session: Session) -> Analysis:
    """One revision of a history. SQL that nobody can read does not spoil the others: it is opaque, hence dangerous."""
    try:
        parsed = statements.parse(revision.sql)
    except TidegateError as error:
        reasons = [reason for reason in (revision.opaque, f"its SQL cannot be read: {error.detail}") if reason]
        return Analysis((), tuple(reasons), "catalog" if session.facts else "none")
    session.begin(parsed, is_transactional=revision.is_transactional, outside=_outside(revision))
    return _judge(parsed, session, revision.revision, revision.opaque)


def _outside(revision: RevisionSql) -> frozenset[int]:
    """The indexes of the statements that run outside of the transaction."""
    outside: set[int] = set()
    index = 0
    for text, flag in zip(revision.sql, revision.autocommit, strict=False):
        count = len(statements.parse(text)) if any(revision.autocommit) else 0
        outside.update(range(index, index + count) if flag else ())
        index += count
    return frozenset(outside)


def _judge(parsed: Sequence[Statement], session: Session, revision: str | None, opaque: str | None) -> Analysis:
    unseen: list[str] = [opaque] if opaque else []
    judged = tuple(_judge_statement(statement, session, revision, unseen) for statement in parsed)
    return Analysis(judged, tuple(unseen), "catalog" if session.facts else "none")


def _judge_statement(statement: Statement, session: Session, revision: str | None, unseen: list[str]) -> Judged:
    session.at(statement)
    seen = _Seen()
    try:
        for part in nested.unfold(statement, session):
            seen.look(part, session)
    except RecursionError:
        # Trees of some hundred levels cannot be walked; whatever runs there is as good as unseen.
        seen.look(nested.opaque(statement, "it is nested too deeply to be read"), session)
    unseen.extend(seen.opaque)
    return Judged(
        statement.index,
        statement.line,
        statement.sql,
        statement.kind,
        tuple(seen.tables),
        seen.lock,
        seen.rewrite,
        seen.scan,
        tuple(sorted(seen.findings, key=lambda finding: _WORST_FIRST.index(finding.severity))),
        revision,
    )


@dataclass(slots=True)
class _Seen:
    """What was seen of one statement so far, and of all that runs inside it."""

    findings: list[Finding] = field(default_factory=list)
    tables: dict[str, None] = field(default_factory=dict)
    opaque: list[str] = field(default_factory=list)
    lock: str | None = None
    scan: bool = False
    rewrite: bool = False

    def look(self, part: Statement, session: Session) -> None:
        for rule in registry.rules_for(part):
            self.findings.extend(to_finding(rule, hit, inside=part.inside) for hit in rule.check(part, session))
        if part.node_name == nested.OPAQUE:
            self.opaque.append(f"line {part.line}: {part.sql}")
            return
        prints = locks.footprint(part, session)
        self.tables.update(dict.fromkeys(prints.tables))
        self.lock = stronger(self.lock, prints.lock)
        self.scan, self.rewrite = self.scan or prints.scan, self.rewrite or prints.rewrite
        effects.apply(part, session)


def combine(analyses: Sequence[Analysis]) -> Analysis:
    """Several inputs as one verdict; statements are counted on."""
    all_statements = [statement for analysis in analyses for statement in analysis.statements]
    numbered = tuple(replace(statement, index=index) for index, statement in enumerate(all_statements))
    opaque = tuple(reason for analysis in analyses for reason in analysis.opaque)
    has_facts = bool(analyses) and all(analysis.facts == "catalog" for analysis in analyses)
    return Analysis(numbered, opaque, "catalog" if has_facts else "none")


def needed_tables(sql: str | Sequence[str]) -> frozenset[str]:
    """The names that an analysis will want facts about: relations, and indexes that are dropped.

    A text that cannot be read names nothing; `analyse` is where it is refused.
    """
    found: set[str] = set()
    session = Session(None, server_version=0, is_transactional=True, statements=[])
    for text in [sql] if isinstance(sql, str) else sql:
        with suppress(TidegateError, RecursionError):
            for statement in statements.parse(text):
                for part in nested.unfold(statement, session):
                    found.update(_named(part, session))
                    effects.apply(part, session)
    return frozenset(name for name in found if name and " " not in name)


def _named(part: Statement, session: Session) -> set[str]:
    named = set(locks.footprint(part, session).tables)
    if part.node_name == "drop_stmt":
        named.update(names.of_object(item) for item in part.node.objects)
    if session.search_path != ("public",):
        # After SET search_path a bare name means another table than the reader of the catalog would find.
        named.update([session.qualified(name) for name in named])
    return named
