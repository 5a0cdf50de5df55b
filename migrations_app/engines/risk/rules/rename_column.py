from __future__ import annotations

from collections.abc import Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import bridges, names
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement

_READ = {pg.OBJECT_TABLE, pg.OBJECT_VIEW, pg.OBJECT_MATVIEW, pg.OBJECT_FOREIGN_TABLE}


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    node = statement.node
    if node.relation_type not in _READ:
        return
    name = names.of_range(node.relation)
    relation = session.relation(name)
    if not relation.is_existing or relation.column(node.subname).origin is None:
        return
    if not bridges.hides_column(name, node.subname, statement, session):
        message = f"{name}.{node.subname} is renamed to {node.newname}"
        yield Hit(message, name, node.subname, values={"name": names.quoted(node.newname)})


RULE = Rule(
    id="rename-column",
    severity="hazard",
    nodes=("rename_stmt/OBJECT_COLUMN",),
    what="A column that running code uses gets another name.",
    why="Every program that still uses the old name fails from that moment, and after a rollback of the code again.",
    safe_way="ALTER TABLE {table} ADD COLUMN {name} of the same type; keep both in step by a trigger, fill it by a"
    " chunked backfill,"
    " switch the code over, and drop {column} one release later.",
    check=check,
)
