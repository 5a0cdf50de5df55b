"""The revisions of a history as sets: pure functions over what the child read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from migrations_app.errors import UnknownRevision


@dataclass(frozen=True)
class Revision:
    revision: str
    down_revisions: tuple[str, ...]
    depends_on: tuple[str, ...]
    branch_labels: tuple[str, ...]
    message: str
    path: str  # inside the bundle
    is_head: bool
    is_base: bool


@dataclass(frozen=True)
class History:
    """`revisions` stand in the order in which Alembic would run them from empty."""

    revisions: tuple[Revision, ...]
    heads: tuple[str, ...]
    bases: tuple[str, ...]
    effective_heads: tuple[
        str, ...
    ]  # what the version table holds when all is applied: no head that another depends on
    version_table: str | None  # as env.py configured it; None when env.py does not run offline
    version_table_schema: str | None
    env_error: str | None  # why env.py does not run offline
    python: str
    alembic: str
    sqlalchemy: str

    @property
    def by_id(self) -> Mapping[str, Revision]:
        return {r.revision: r for r in self.revisions}


def applied_set(history: History, heads: Iterable[str]) -> frozenset[str]:
    """Which revisions a version table with these rows proves to be applied: the rows, and all they stand on.

    Raises `UnknownRevision` for a row that this history does not have.
    """
    known = history.by_id
    applied: set[str] = set()
    todo = list(heads)
    while todo:
        revision = known.get(name := todo.pop())
        if revision is None:
            raise UnknownRevision(
                f"The target is at {name}, which this history does not have. Was it migrated from another branch?"
            )
        if name not in applied:
            applied.add(name)
            todo += [*revision.down_revisions, *revision.depends_on]
    return frozenset(applied)


def pending(history: History, heads: Iterable[str]) -> tuple[Revision, ...]:
    """What is not applied, in the order of the history."""
    applied = applied_set(history, heads)
    return tuple(r for r in history.revisions if r.revision not in applied)
