from __future__ import annotations

from collections.abc import Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import names
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    node = statement.node
    if node.rename_type != pg.OBJECT_COLUMN or node.relation_type != pg.OBJECT_TABLE:
        return
    name = names.of_range(node.relation)
    relation = session.relation(name)
    if not relation.is_existing or relation.column(node.subname).origin is None:
        return
    message = f"{name}.{node.subname} is renamed to {node.newname}"
    yield Hit(message, name, node.subname, values={"name": names.quoted(node.newname)})


RULE = Rule(
    id="rename-column",
    severity="hazard",
    nodes=("rename_stmt",),
    what="A column that running code uses gets another name.",
    why="Every program that still uses the old name fails from that moment, and after a rollback of the code again.",
    safe_way="ALTER TABLE {table} ADD COLUMN {name} of the same type; keep both in step by a trigger, fill it by a"
    " chunked backfill,"
    " switch the code over, and drop {column} one release later.",
    check=check,
)
