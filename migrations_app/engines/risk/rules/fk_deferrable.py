from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engines.risk import foreign_keys
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    for added in foreign_keys.added(statement, session):
        if added.key.is_deferrable:
            when = "at COMMIT" if added.key.is_deferred else "at COMMIT where a transaction asks for it"
            yield Hit(f"The foreign key {added.key.name} of {added.table} is checked {when}", added.table)


RULE = Rule(
    id="fk-deferrable",
    severity="advice",
    nodes=foreign_keys.NODES,
    what="A foreign key is DEFERRABLE.",
    why="A violation shows at COMMIT, far from the statement that made it; until then each changed row waits in the"
    " server's memory, so that a bulk load of millions of rows may use it up.",
    safe_way="Leave DEFERRABLE out unless rows of {table} and its parent must be written in either order; code that"
    " commits must then expect 23503.",
    check=check,
)
