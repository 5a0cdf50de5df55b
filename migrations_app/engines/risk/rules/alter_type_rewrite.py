from __future__ import annotations

from collections.abc import Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import burden, column_types
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.locking.alter_type_locks import change_of
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement

_TIMES = {"timestamp", "timestamptz"}
_SAFE_ZONE = (
    "If the values of {column} are meant as UTC: SET LOCAL timezone = 'UTC' in the same transaction before it; then"
    " PostgreSQL 12+ rewrites nothing. If they are meant in another zone, add a column {column}_new, fill it by a"
    " chunked backfill, and swap the names."
)


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    for at in burden.subcommands(statement, session, pg.AT_AlterColumnType):
        if not change_of(at.relation, at.command, session).rewrite:
            continue
        column = at.relation.column(at.command.name)
        definition = getattr(at.command, "def").column_def
        new = column_types.from_node(definition.type_name)
        old = column_types.parse(column.type) if column.type else None
        is_time = old is not None and {old.base, new.base} == _TIMES and not definition.HasField("raw_default")
        zone = session.setting("timezone")
        was = f" from {old}" if old else ""
        yield burden.hit(
            at.name,
            at.relation,
            f"Changing the type of {at.name}.{at.command.name}{was} to {new} rewrites the table",
            at.command.name,
            why=f"The session's TimeZone is {zone or 'not known'}, and only in UTC are the values alike."
            if is_time
            else "",
            known={"to": str(new)} | ({"from": str(old)} if old else {}),
            safe_way=_SAFE_ZONE if is_time else None,
            values={"name": str(new)},
        )


RULE = Rule(
    id="alter-type-rewrite",
    severity="hazard",
    nodes=("AT_AlterColumnType",),
    what="A change of type writes the whole table and its indexes anew.",
    why="ACCESS EXCLUSIVE is held for as long as that takes: nobody reads or writes; it needs as much free disk again.",
    safe_way="ALTER TABLE {table} ADD COLUMN {column}_new {name}; keep both in step by a trigger, fill it by a chunked"
    " backfill, and swap the names in a short transaction.",
    check=check,
)
