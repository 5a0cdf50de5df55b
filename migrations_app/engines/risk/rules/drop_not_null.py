from __future__ import annotations

from collections.abc import Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import burden
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    for at in burden.subcommands(statement, session, pg.AT_DropNotNull):
        column = at.relation.column(at.command.name)
        if column.origin is not None and column.not_null is not False:
            yield Hit(f"{at.name}.{at.command.name} may be NULL from now on", at.name, at.command.name)


RULE = Rule(
    id="drop-not-null",
    severity="advice",
    nodes=("AT_DropNotNull",),
    what="A column may hold NULL from now on.",
    why="Code that reads it, old code above all, may not expect NULL. Once rows hold NULL, the way back needs a scan"
    " and a value for each of them.",
    safe_way="First release code that reads NULL in {column}; then ALTER TABLE {table} ALTER COLUMN {column} DROP NOT"
    " NULL; only then code that writes it.",
    check=check,
)
