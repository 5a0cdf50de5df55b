from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engines.risk import names
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    name = names.of_range(statement.node.relation)
    if names.is_catalog(name) and not session.relation(name).is_made:
        yield Hit(f"{statement.kind} changes the system catalog {name} directly", name)


RULE = Rule(
    id="catalog-write",
    severity="danger",
    nodes=("insert_stmt", "update_stmt", "delete_stmt"),
    what="PostgreSQL's own catalog is written by hand.",
    why="No lock protects it and no rule of PostgreSQL is kept: rows can become unreadable (a label removed from"
    " pg_enum).",
    safe_way="Use the DDL statement for it; where there is none, make a new type or column and move the values over.",
    check=check,
)
