from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:  # noqa: ARG001 - every rule is called alike
    yield Hit(f"DROP DATABASE destroys {statement.node.dbname}")


RULE = Rule(
    id="drop-database",
    severity="danger",
    nodes=("dropdb_stmt",),
    what="A whole database is dropped.",
    why="Everything in it is gone at once, and it does not run inside a transaction, so nothing can be rolled back.",
    safe_way="Never in a revision. Take a backup and let a database administrator do it by hand.",
    check=check,
    destroys=True,
)
