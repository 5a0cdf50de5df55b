"""What the transaction in progress holds and has done; all of it ends with the transaction."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from migrations_app.engines.risk.locking.lock_modes import AX, stronger

if TYPE_CHECKING:
    from migrations_app.engines.risk.session import Relation


@dataclass(frozen=True, slots=True)
class Held:
    """A lock that is kept to the end of the transaction. `by` is the index of the statement that took it."""

    relation: Relation
    mode: str
    by: int


@dataclass(slots=True)
class Transaction:
    """Locks by qualified name of the table as it was called then, and notes that one rule's statement leaves another.

    Notes are tuples: ("constraint", table, name) for one that was added, ("enum-value", type, label),
    ("column", table, name), ("trigger-off", table), ("written", table), ("altered", table), ("batch", table).
    Tables are qualified.
    """

    held: dict[str, Held] = field(default_factory=dict)
    exclusive: dict[str, Held] = field(default_factory=dict)
    """The tables that nobody else can even read until this transaction ends."""
    notes: dict[tuple[str, ...], int] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    """Enum labels that were added, each with its type."""
    settings: dict[str, str] = field(default_factory=dict)
    """SET LOCAL."""

    def hold(self, key: str, relation: Relation, mode: str, by: int) -> None:
        """The statement with the index `by` takes a lock; a weaker one than is held already changes nothing."""
        before = self.held.get(key)
        if before is None or (before.mode != mode and stronger(before.mode, mode) == mode):
            held = self.held[key] = Held(relation, mode, by)
            if mode == AX:
                self.exclusive[key] = held

    def rename(self, key: str, new_key: str) -> None:
        """The table has another name from here on; its locks stay."""
        for locks in (self.held, self.exclusive):
            if key in locks:
                locks[new_key] = locks.pop(key)

    def note(self, *what: str, by: int) -> None:
        self.notes.setdefault(what, by)
        if what[0] == "enum-value":
            self.labels[what[2]] = what[1]

    def noted(self, *what: str) -> int | None:
        """The index of the statement that did this in the same transaction."""
        return self.notes.get(what)
