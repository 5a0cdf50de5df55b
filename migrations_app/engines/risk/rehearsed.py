"""What a rehearsal saw: the plan's revisions run on a scratch copy of a schema, up, down and up again.

Plain values, so that the rules can be told about it and the store can keep it. Tables are named "schema.table",
unquoted; locks are spelled as in `lock_modes.MODES`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Refusal:
    """Why a revision did not get through. `type` is the exception's ("ValueError"), `where` is file:line."""

    type: str
    message: str
    sqlstate: str | None = None
    where: str = ""

    def __str__(self) -> str:
        code = f" (SQLSTATE {self.sqlstate})" if self.sqlstate else ""
        at = f" at {self.where}" if self.where else ""
        return f"{self.message or self.type}{code}{at}"


@dataclass(frozen=True)
class RehearsedStatement:
    """One statement as it was really sent, its values written into it."""

    sql: str
    autocommit: bool = False
    """It ran outside of a transaction, where PostgreSQL gives locks back before anybody can look."""
    locks: Mapping[str, str] = field(default_factory=dict)
    """The strongest lock held, once it was through, on each user table that it touched: where it took a new lock, or
    which it names. In one transaction that includes what earlier statements had taken on the same table."""
    held: Mapping[str, str] = field(default_factory=dict)
    """The same for every user table: what the whole transaction so far keeps from others."""
    new_tables: tuple[str, ...] = ()
    """Those of `held` that the same run had made itself: nobody waits for a lock on them."""
    rewritten: tuple[str, ...] = ()
    """Tables from before the run that got a new file with all rows in it. A TRUNCATE does not count."""
    duration_ms: float = 0.0
    """On a copy without rows: tells nothing about the target."""
    sqlstate: str | None = None
    dynamic: bool = False
    """It was put together and run inside the server by the statement before it (a DO block, a function), whose locks
    include its own. Values of a USING clause stay $1, $2."""

    def told(self) -> dict[str, Any]:
        return {
            "sql": self.sql,
            "locks": {table: lock for table, lock in self.locks.items() if table not in self.new_tables},
            "rewritten": list(self.rewritten),
            "autocommit": self.autocommit,
            "dynamic": self.dynamic,
            "sqlstate": self.sqlstate,
        }


@dataclass(frozen=True)
class RehearsedRevision:
    """What one revision did. `down` is None when its downgrade was not tried."""

    revision: str
    up: tuple[RehearsedStatement, ...] = ()
    down: tuple[RehearsedStatement, ...] | None = None
    up_error: Refusal | None = None
    down_error: Refusal | None = None
    again_error: Refusal | None = None
    differences: tuple[str, ...] = ()
    """The schema after its downgrade against the one before its upgrade; what others left behind is not counted."""
    again_differences: tuple[str, ...] = ()
    """The schema after its second upgrade against the one after its first."""
    read_tables: tuple[str, ...] = ()
    """Tables from before the run whose rows decided what came next: an empty copy proves nothing about such code."""
    resolved: bool = False
    """Whether the statements of `up` are all that upgrade() can run on a target of this schema."""
    why_not: str = ""
    """Why it is not resolved, in words to put after the revision's name."""
    downgrade_tried: bool = False
    upgraded_again: bool = False

    @property
    def is_reversible(self) -> bool:
        """Down and up again, and no difference anywhere."""
        broken = self.up_error or self.down_error or self.again_error or self.differences or self.again_differences
        return self.downgrade_tried and self.upgraded_again and not broken

    def told(self) -> dict[str, Any]:
        """What the doors answer: `statements` and `down` as they were sent, with the locks of each."""
        errors = {name: getattr(self, name) for name in ("up_error", "down_error", "again_error")}
        return {
            "revision": self.revision,
            "resolved": self.resolved,
            "why_not": self.why_not,
            "reversible": self.is_reversible,
            "statements": [each.told() for each in self.up],
            "down": None if self.down is None else [each.told() for each in self.down],
            "differences": list(self.differences),
            "again_differences": list(self.again_differences),
            **{name: error and asdict(error) for name, error in errors.items()},
        }


@dataclass(frozen=True)
class Rehearsal:
    """One rehearsal of one plan. `fingerprint` is that of the target whose schema was copied; versions are numbers as
    server_version_num; `notes` say what the copy lacks and what was not tried."""

    revisions: tuple[RehearsedRevision, ...]
    server_version: int
    target_version: int
    fingerprint: str
    notes: tuple[str, ...] = ()
    duration_s: float = 0.0

    @property
    def by_id(self) -> Mapping[str, RehearsedRevision]:
        return {each.revision: each for each in self.revisions}

    def to_json(self) -> dict[str, Any]:
        """The form that `from_json` reads back."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Rehearsal:
        revisions = tuple(_revision(each) for each in data["revisions"])
        return cls(**{**data, "revisions": revisions, "notes": tuple(data["notes"])})


def _revision(data: Mapping[str, Any]) -> RehearsedRevision:
    read: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in data.items()}
    for name in ("up", "down"):
        read[name] = None if data[name] is None else tuple(_statement(each) for each in data[name])
    for name in ("up_error", "down_error", "again_error"):
        read[name] = None if data[name] is None else Refusal(**data[name])
    return RehearsedRevision(**read)


def _statement(data: Mapping[str, Any]) -> RehearsedStatement:
    read: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in data.items()}
    return RehearsedStatement(**read)
