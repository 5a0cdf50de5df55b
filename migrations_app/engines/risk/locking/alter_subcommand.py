"""One subcommand of an ALTER TABLE, as the functions that tell its locks see it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from migrations_app.engines.risk.locking.lock_family import spread
from migrations_app.engines.risk.locking.lock_modes import Touch
from migrations_app.engines.risk.names import Node
from migrations_app.engines.risk.session import Relation, Session


@dataclass(frozen=True, slots=True)
class Subcommand:
    """One subcommand of an ALTER TABLE on the relation of this name."""

    name: str
    relation: Relation
    command: Node
    session: Session
    is_only: bool = False
    """ALTER TABLE ONLY."""
    beside: Sequence[Node] = ()
    """All subcommands of the statement: those that drop something run before all others."""
    says_view: bool = False
    """ALTER VIEW."""

    @property
    def is_partitioned(self) -> bool:
        return self.relation.facts is not None and self.relation.facts.kind == "partitioned"

    def spread(self, mode: str, *, scan: bool = False, rewrite: bool = False) -> Iterator[Touch]:
        """The lock on the table and, unless ONLY was said, on all that inherit from it."""
        return spread(self.name, mode, self.session, scan=scan, rewrite=rewrite, recurse=not self.is_only)
