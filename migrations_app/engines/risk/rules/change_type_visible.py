from __future__ import annotations

from collections.abc import Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import burden, column_types
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    for at in burden.subcommands(statement, session, pg.AT_AlterColumnType):
        column = at.relation.column(at.command.name)
        new = column_types.from_node(getattr(at.command, "def").column_def.type_name)
        old = column_types.parse(column.type) if column.type else None
        key = f"{RULE.id} {session.qualified(at.name)}"
        if column.origin is None or old == new or key in session.told:
            continue
        session.told.add(key)
        was = f" instead of {old}" if old else ""
        message = f"Clients get {at.name}.{at.command.name} as {new}{was}"
        yield Hit(message, at.name, at.command.name)


RULE = Rule(
    id="change-type-visible",
    severity="advice",
    nodes=("AT_AlterColumnType",),
    what="Programs see a column of another type.",
    why="Statements that open connections have prepared fail once with 0A000 (cached plan must not change result type),"
    " for another length or precision too. A new type also reaches the code's own types (int to bigint, json to text).",
    safe_way="Let the code retry, or prepare anew, on 0A000, or restart the connection pool (behind PgBouncer:"
    " RECONNECT) right after the change of {table}.{column}.",
    check=check,
)
