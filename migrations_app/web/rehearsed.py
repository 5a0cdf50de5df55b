"""What a rehearsal saw of one revision, as the pages show it."""

from __future__ import annotations

from dataclasses import dataclass

from migrations_app.engines.risk.locking.lock_modes import stronger
from migrations_app.engines.risk.rehearsed import RehearsedRevision
from migrations_app.models import Rehearsal, Target


@dataclass(frozen=True)
class Held:
    """The strongest lock of an upgrade on one table that was there before it."""

    table: str
    lock: str
    is_rewritten: bool


@dataclass(frozen=True)
class Seen:
    """One revision in one rehearsal."""

    rehearsal: Rehearsal
    found: RehearsedRevision

    @property
    def troubles(self) -> list[tuple[str, list[str]]]:
        """What went wrong, the worst first: a heading, and what there is to say below it."""
        found = self.found
        refusals = {
            "The upgrade fails": found.up_error,
            "The downgrade fails": found.down_error,
            "After its downgrade it cannot be upgraded again": found.again_error,
        }
        differences = {
            "After its downgrade the schema is not what it was": found.differences,
            "Upgraded again, it makes another schema than the first time": found.again_differences,
        }
        told = [(heading, [str(refusal)]) for heading, refusal in refusals.items() if refusal is not None]
        return [*told, *((heading, list(lines)) for heading, lines in differences.items() if lines)]

    @property
    def tone(self) -> str:
        if self.found.up_error is not None:
            return "bad"
        return "ok" if self.found.is_reversible and self.found.resolved else "hold"

    @property
    def headline(self) -> str:
        """The shortest true sentence."""
        found = self.found
        if found.up_error is not None:
            return "it does not go through"
        if found.is_reversible:
            return "up, down and up again: no difference"
        if not found.downgrade_tried and not self.troubles:
            return "up; the way down was not tried"
        return "up; the way down and up again leaves something different"

    @property
    def locks(self) -> list[Held]:
        strongest: dict[str, str] = {}
        rewritten: set[str] = set()
        for statement in self.found.up:
            rewritten.update(statement.rewritten)
            for table, lock in statement.told()["locks"].items():
                strongest[table] = stronger(strongest.get(table), lock) or lock
        return [Held(table, lock, table in rewritten) for table, lock in sorted(strongest.items())]

    @property
    def has_unseen_locks(self) -> bool:
        """Outside of a transaction a lock is given back before anybody can look."""
        return any(statement.autocommit for statement in self.found.up)


def seen_in(rehearsal: Rehearsal, revision: str, target: Target) -> Seen | None:
    """As far as it holds there; None when the rehearsal is not done, or was not of this revision."""
    found = rehearsal.of(revision, server_version=target.server_version)
    return Seen(rehearsal, found) if found else None
