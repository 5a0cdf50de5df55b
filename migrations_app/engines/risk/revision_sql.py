"""One Alembic revision as the risk engine sees it."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from migrations_app.engines.risk.rehearsed import RehearsedRevision


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
    source: str = ""
    """The Python file."""
    downgrade: Sequence[str] | None = None
    """The SQL of downgrade(), None when it is not known."""
    rehearsed: RehearsedRevision | None = None
    """What a rehearsal of just these bytes on just this schema has recorded."""

    def as_sent(self) -> RevisionSql:
        """With the statements that the rehearsal recorded in place of those that were rendered without a database.

        What a DO block put together stands behind it as statements of their own. Only where these are all there are.
        """
        if self.rehearsed is None or not self.rehearsed.resolved:
            return self
        sent = self.rehearsed.up
        return replace(
            self,
            sql=[statement.sql for statement in sent],
            autocommit=[statement.autocommit for statement in sent],
            opaque=None,
        )

    @property
    def tree(self) -> ast.Module | None:
        """The parsed file; None when there is none, or it is no Python."""
        return _parsed(self.source) if self.source else None

    def function(self, name: str) -> ast.FunctionDef | None:
        """upgrade() or downgrade(); None when the file has none."""
        body = self.tree.body if self.tree else []
        return next((node for node in body if isinstance(node, ast.FunctionDef) and node.name == name), None)


@lru_cache(maxsize=64)
def _parsed(source: str) -> ast.Module | None:
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return None
