from __future__ import annotations

from collections.abc import Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import names
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    node = statement.node
    if node.rename_type != pg.OBJECT_TABLE:
        return
    name = names.of_range(node.relation)
    if not session.relation(name).is_existing:
        return
    is_bridged = any(
        later.node_name == "view_stmt" and names.of_range(later.node.view) == name
        for later in session.statements[statement.index :]
    )
    message = f"{name} is renamed to {node.newname}"
    values = {"name": names.quoted(node.newname)}
    yield Hit(message, name, severity="advice" if is_bridged else None, values=values)


RULE = Rule(
    id="rename-table",
    severity="hazard",
    nodes=("rename_stmt",),
    what="A table that running code uses gets another name.",
    why="Every program that still uses the old name fails from that moment, and after a rollback of the code again.",
    safe_way="In one transaction: ALTER TABLE {table} RENAME TO {name}; CREATE VIEW {table} AS SELECT * FROM"
    " {name}; the view can be"
    " written through. Drop it once nothing uses the old name.",
    check=check,
)
