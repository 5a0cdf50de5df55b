from __future__ import annotations

from collections.abc import Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import burden
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.rows import expressions
from migrations_app.engines.risk.session import Session, known_columns
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    for at in burden.subcommands(statement, session, pg.AT_ColumnDefault):
        origin = at.relation.column(at.command.name).origin
        if origin is None or not at.command.HasField("def"):
            continue
        known = known_columns(at.relation).get(origin)
        if known is not None and known.default is None:
            # Nothing was filled in before; that is how a default is added safely.
            continue
        new = expressions.spelled(getattr(at.command, "def"))
        if known is not None and known.default in (new, f"({new})"):
            continue
        was = f", until now {known.default}" if known is not None else ""
        message = f"New rows of {at.name} get another {at.command.name}: {new}{was}"
        yield Hit(message, at.name, at.command.name)


RULE = Rule(
    id="change-default",
    severity="advice",
    nodes=("AT_ColumnDefault",),
    what="A column gets another default.",
    why="Only rows that are inserted from now on get it, by old code too, which may not know the new value. Rows that"
    " are there keep theirs.",
    safe_way="First release code that can read the new value, or that names {column} in each INSERT; then"
    " ALTER TABLE {table} ALTER COLUMN {column} SET DEFAULT ...",
    check=check,
)
