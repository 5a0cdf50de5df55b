"""A history as plain values: what the child read of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


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
