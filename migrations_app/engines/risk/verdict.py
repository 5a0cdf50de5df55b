"""The verdict on an input: what each statement does, what is dangerous about it, and how it is done safely."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Literal

from migrations_app.engines.risk import deciding, effects, nearby, nested, registry, statements
from migrations_app.engines.risk.analysis import LEVELS, Analysis, Judged, combine
from migrations_app.engines.risk.facts import Facts, Question
from migrations_app.engines.risk.findings import Finding, Rule
from migrations_app.engines.risk.locking import locks
from migrations_app.engines.risk.locking.lock_modes import BLOCKING, stronger
from migrations_app.engines.risk.needs import needed_tables
from migrations_app.engines.risk.registry import RULESET_VERSION
from migrations_app.engines.risk.repeats import ROWS, Repeats
from migrations_app.engines.risk.revision_sql import RevisionSql
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
    "questions",
]

_NO_TRANSACTION = "25001"
"""Refused inside a transaction: before any lock is taken."""
_WORST_FIRST = {"danger": 0, "hazard": 1, "advice": 2}


def analyse(
    sql: str | Sequence[str],
    *,
    facts: Facts | None = None,
    server_version: int = 150000,
    transactional: bool = True,
    revision: str | None = None,
    opaque: str | None = None,
    chunked: bool = False,
) -> Analysis:
    """Judge one input. `transactional`: whether the caller runs it inside a transaction. Raises Invalid for bad SQL.

    `chunked`: it is a backfill, which runs it range by range in small transactions.
    """
    parsed = statements.parse(sql)
    session = Session(
        facts,
        server_version=facts.server_version if facts else server_version,
        is_transactional=transactional,
        statements=parsed,
    )
    session.is_chunked = chunked
    return _Judge(session, revision, opaque).all(parsed)


def analyse_each(
    revisions: Iterable[RevisionSql], *, facts: Facts | None = None, server_version: int = 150000
) -> list[Analysis]:
    """Judge revisions in order of execution, each on its own, knowing the types and names that earlier ones leave.

    With a catalog, what an earlier pending revision makes is as new as if this one made it. Without one, the history
    is years of releases: what an earlier revision made exists and holds data.
    """
    version = facts.server_version if facts else server_version
    session = Session(facts, server_version=version, is_transactional=True, statements=[])
    session.is_revision = True
    found = []
    session.upcoming = waiting = deque(revisions)
    while waiting:
        found.append(_judge_revision(waiting.popleft(), session))
        if facts is None:
            session.settle()
    return found


def questions(
    sql: str | Sequence[str] | Sequence[RevisionSql], facts: Facts, *, transactional: bool = True
) -> list[Question]:
    """What the rules want to know of the rows, each once. SQL that cannot be read asks nothing."""
    session = Session(facts, server_version=facts.server_version, is_transactional=transactional, statements=[])
    asked: dict[Question, None] = {}
    for revision in _as_revisions(sql):
        try:
            parsed = statements.parse(revision.sql)
        except TidegateError:
            continue
        session.begin(parsed, is_transactional=revision.is_transactional, outside=_outside(revision))
        asker = _Judge(session, None, None, asked)
        for statement in parsed:
            asker.judge(statement)
    return list(asked)


def _as_revisions(sql: str | Sequence[str] | Sequence[RevisionSql]) -> list[RevisionSql]:
    texts = [sql] if isinstance(sql, str) else sql
    return [part if isinstance(part, RevisionSql) else RevisionSql("", [part]) for part in texts]


def _judge_revision(revision: RevisionSql, session: Session) -> Analysis:
    """One revision of a history. SQL that nobody can read does not spoil the others: it is opaque, hence dangerous."""
    revision = revision.as_sent()
    try:
        parsed = statements.parse(revision.sql)
    except TidegateError as error:
        reasons = [reason for reason in (revision.opaque, f"its SQL cannot be read: {error.detail}") if reason]
        facts: Literal["catalog", "none"] = "catalog" if session.facts else "none"
        return Analysis((), tuple(reasons), facts, revision=revision.revision)
    session.begin(parsed, is_transactional=revision.is_transactional, outside=_outside(revision))
    session.is_resolved = revision.rehearsed is not None and revision.rehearsed.resolved
    return _Judge(session, revision.revision, revision.opaque).whole(parsed, revision)


def _outside(revision: RevisionSql) -> frozenset[int]:
    """The indexes of the statements that run outside of the transaction."""
    outside: set[int] = set()
    index = 0
    for text, flag in zip(revision.sql, revision.autocommit, strict=False):
        count = len(statements.parse(text)) if any(revision.autocommit) else 0
        outside.update(range(index, index + count) if flag else ())
        index += count
    return frozenset(outside)


class _Judge:
    """Goes through the statements of one input. With `asked` it collects the rules' questions instead of findings."""

    def __init__(
        self, session: Session, revision: str | None, opaque: str | None, asked: dict[Question, None] | None = None
    ) -> None:
        self.session, self.revision, self.asked = session, revision, asked
        self.opaque: list[str] = [opaque] if opaque else []
        self.repeats = Repeats()
        self.rules = registry.SERIOUS if len(session.statements) > nearby.WHOLE else registry.EVERY

    def all(self, parsed: Sequence[Statement]) -> Analysis:
        judged = tuple(map(self.judge, parsed))
        return Analysis(judged, tuple(self.opaque), "catalog" if self.session.facts else "none")

    def whole(self, parsed: Sequence[Statement], revision: RevisionSql) -> Analysis:
        """The statements, and what is to be said of the revision as a whole."""
        about = Statement(-1, 1, "", "@revision", revision)
        name = revision.revision
        before = self._of_revision(self.rules.on_revision, about, name)
        analysis = self.all(parsed)
        is_rehearsed = revision.rehearsed is not None
        after = self._of_revision(self.rules.on_rehearsal if is_rehearsed else (), about, name)
        looped = replace(about, node_name="@loops")
        after += self._of_revision(self.rules.on_loops if is_rehearsed else (), looped, name)
        elsewhere = [replace(each, revision=name) for each in self._elsewhere(revision)]
        return replace(analysis, of_revision=(*before, *after, *elsewhere), rehearsed=is_rehearsed, revision=name)

    def _elsewhere(self, revision: RevisionSql) -> list[Finding]:
        """The dangers of what the revision would run in another environment than the one that it was tried in."""
        seen = _Seen()
        with suppress(TidegateError):
            for statement in statements.parse(deciding.other_branches(revision)):
                inside = "a branch of upgrade() for another environment"
                for part in nested.unfold(replace(statement, inside=inside, is_conditional=True), self.session):
                    self._apply_rules(self.rules.rules_for(part), part, seen)
        return [finding for finding in seen.findings if finding.severity == "danger"]

    def _of_revision(self, rules: Iterable[Rule], about: Statement, name: str) -> list[Finding]:
        return [Finding(rule, hit, revision=name) for rule in rules for hit in rule.check(about, self.session)]

    def judge(self, statement: Statement) -> Judged:
        session = self.session
        session.at(statement)
        if statement.node_name not in ROWS:
            self.repeats.forget()
            return self._judge(statement)
        text, known = self.repeats.find(statement)
        if known is None:
            opaque_before = len(self.opaque)
            known = self._judge(statement)
            if len(self.opaque) == opaque_before:
                self.repeats.keep(text, statement, known, session)
        return known

    def _judge(self, statement: Statement) -> Judged:
        session = self.session
        seen = _Seen()
        try:
            if statement.node_name in nested.HOLDING and nested.may_hold(statement):
                for part in nested.unfold(statement, session):
                    self._look(part, seen)
            else:
                self._look(statement, seen)
        except RecursionError:
            # Trees of some hundred levels cannot be walked; whatever runs there is as good as unseen.
            self._look(nested.opaque(statement, "it is nested too deeply to be read"), seen)
        found = seen.findings
        if found:
            seen.refused({finding.fails for finding in found})
            found.sort(key=lambda finding: _WORST_FIRST[finding.severity])
        return Judged(
            statement.index,
            statement.line,
            statement.sql,
            statement.kind,
            seen.tables,
            seen.lock,
            seen.rewrite,
            seen.scan,
            tuple(found),
            self.revision,
        )

    def _look(self, part: Statement, seen: _Seen) -> None:
        session = self.session
        if part.node_name == nested.OPAQUE:
            self._apply_rules(self.rules.rules_for(part), part, seen)
            self.opaque.append(f"line {part.line}: {part.sql}")
            session.has_unseen_writes = True
            return
        prints = locks.footprint(part, session)
        session.touches = prints.touches
        self._apply_rules(self.rules.rules_for(part), part, seen)
        if prints.touches:
            if prints.lock in BLOCKING:
                self._apply_rules(self.rules.on_lock, part, seen)
            if session.transaction.held:
                self._apply_rules(self.rules.on_held, part, seen)
            session.past(part, prints.touches)
        seen.tables = tuple(dict.fromkeys((*seen.tables, *prints.tables))) if seen.tables else prints.tables
        seen.lock = stronger(seen.lock, prints.lock)
        seen.scan, seen.rewrite = seen.scan or prints.scan, seen.rewrite or prints.rewrite
        effects.apply(part, session)

    def _apply_rules(self, rules: Iterable[Rule], part: Statement, seen: _Seen) -> None:
        for rule in rules:
            if self.asked is None:
                for hit in rule.check(part, self.session):
                    seen.findings.append(Finding(rule, hit, part.inside))
            elif rule.ask is not None:
                self.asked.update((question, None) for question in rule.ask(part, self.session) if question)


@dataclass(slots=True, eq=False)
class _Seen:
    """What was seen of one statement so far, and of all that runs inside it."""

    findings: list[Finding] = field(default_factory=list)
    tables: tuple[str, ...] = ()
    lock: str | None = None
    scan: bool = False
    rewrite: bool = False

    def refused(self, codes: set[str | None]) -> None:
        """What PostgreSQL will refuse leaves no table rewritten. Most of it takes its lock all the same."""
        if codes != {None}:
            self.rewrite = False
        if _NO_TRANSACTION in codes:
            self.lock = None
            self.scan = False
