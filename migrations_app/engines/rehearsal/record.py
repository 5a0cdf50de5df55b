"""One run on a scratch database, with everything that it told: statements, states of the schema, how it ended."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from migrations_app.engines.rehearsal.dynamic import opaque, traced
from migrations_app.engines.rehearsal.session import Direction, Session
from migrations_app.engines.risk.rehearsed import Refusal, RehearsedStatement
from migrations_app.engines.runner.process import Event
from migrations_app.errors import ProjectBroken

STATEMENTS = 5_000  # of one revision; more are not kept
State = frozenset[str]


@dataclass
class Recorded:
    """`states` has the schema after each revision that got through; `failed` is the one that did not."""

    base: State = frozenset()
    states: dict[str, State] = field(default_factory=dict)
    statements: dict[str, list[RehearsedStatement]] = field(default_factory=lambda: defaultdict(list))
    read: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    unknown: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    failed: str | None = None
    error: Refusal | None = None
    _last: set[str] = field(default_factory=set)
    _candidates: dict[int, tuple[str, list[str]]] = field(default_factory=dict)
    _started: str | None = None

    def take(self, event: Event, session: Session) -> None:
        data = event.data
        if event.kind == "rewrite":
            session.answer(traced(data["sql"]))
        elif event.kind == "started":
            self._started = data["revision"]
        elif event.kind == "schema":
            self._schema(data)
        elif event.kind == "statement" and data["of"] == "revision":
            self._statement(data)
        elif event.kind == "fetched" and data["number"] in self._candidates:
            revision, tables = self._candidates[data["number"]]
            self.read[revision].update(tables)
        elif event.kind == "unseen":
            self.unknown[data["revision"]].append(data["what"])
        elif event.last and event.kind != "done":
            self._end(event, session)

    def _schema(self, data: Mapping[str, Any]) -> None:
        self._last = (self._last - set(data["removed"])) | set(data["added"])
        if data["revision"] is None:
            self.base = frozenset(self._last)
        else:
            self.states[data["revision"]] = frozenset(self._last)

    def _statement(self, data: Mapping[str, Any]) -> None:
        revision = data["revision"]
        kept = self.statements[revision]
        if data["cut"]:
            self.unknown[revision].append("a statement is too long to be kept whole")
        if len(kept) >= STATEMENTS:
            if len(kept) == STATEMENTS:
                self.unknown[revision].append(f"it sends more than {STATEMENTS} statements")
            return
        if what := opaque(data["sql"]):
            self.unknown[revision].append(what)
        kept.extend(_statements(data))
        self.read[revision].update(data.get("hidden", ()))
        if data.get("candidates"):
            self._candidates[data["number"]] = (revision, data["candidates"])

    def _end(self, event: Event, session: Session) -> None:
        data = event.data
        error = _refusal(event, session)
        self.failed = data.get("revision") or (self._started if event.kind == "died" else None)
        if self.failed is None and self.states:  # its transaction could not be committed
            self.failed = list(self.states)[-1]
        if self.failed is None:
            last = session.output().strip().splitlines()[-1:]
            raise ProjectBroken(
                f"The rehearsal did not come to its revisions: {error}{f' ({last[0]})' if last else ''}"
            )
        self.states.pop(self.failed, None)
        self.error = error


def record(session: Session, revisions: Sequence[str], direction: Direction, wall_s: float) -> Recorded:
    """Runs exactly these revisions, in this order, as one Alembic run on the session's database.

    Raises `ProjectBroken` when the project does not get as far as its first revision.
    """
    found = Recorded()
    for event in session.run(revisions, direction, wall_s):
        found.take(event, session)
    return found


def _statements(data: Mapping[str, Any]) -> Iterator[RehearsedStatement]:
    yield RehearsedStatement(
        sql=data["sql"],
        autocommit=data["autocommit"],
        locks=data.get("locks", {}),
        held=data.get("held", {}),
        new_tables=tuple(data.get("new_tables", ())),
        rewritten=tuple(data.get("rewritten", ())),
        duration_ms=data["duration_ms"],
        sqlstate=data["sqlstate"],
    )
    for sql in data["dynamic"]:
        yield RehearsedStatement(sql, autocommit=data["autocommit"], dynamic=True)


def _refusal(event: Event, session: Session) -> Refusal:
    """Of `failed` the exception; `stopped` (by us, for its time) and `died` have only a reason, in words."""
    data = event.data
    if event.kind == "failed":
        return Refusal(data["type"], data["message"], data["sqlstate"], data["where"])
    if event.kind == "died" and session.is_overdue:
        return Refusal("Stopped", f"it had not come to its end after {session.wall_s:.0f} s, and was killed")
    return Refusal("Stopped", data["reason"], None, (data.get("error") or {}).get("where", ""))
