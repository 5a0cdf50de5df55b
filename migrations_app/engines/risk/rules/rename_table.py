from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engines.risk import bridges, names
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    node = statement.node
    name = names.of_range(node.relation)
    if not session.relation(name).is_existing:
        return
    if bridges.view_named(session.qualified(name), statement, session) is None:
        yield Hit(f"{name} is renamed to {node.newname}", name, values={"name": names.quoted(node.newname)})


RULE = Rule(
    id="rename-table",
    severity="hazard",
    nodes=tuple(f"rename_stmt/OBJECT_{kind}" for kind in ("TABLE", "VIEW", "MATVIEW", "FOREIGN_TABLE")),
    what="A table or view that running code uses gets another name.",
    why="Every program that still uses the old name fails from that moment, and after a rollback of the code again.",
    safe_way="In one transaction: ALTER TABLE {table} RENAME TO {name}; CREATE VIEW {table} AS SELECT * FROM"
    " {name}; the view can be"
    " written through. Drop it once nothing uses the old name.",
    check=check,
)
