from __future__ import annotations

from collections.abc import Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import burden, names
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement

_WIDE = {
    pg.REINDEX_OBJECT_SCHEMA: "SCHEMA",
    pg.REINDEX_OBJECT_SYSTEM: "SYSTEM",
    pg.REINDEX_OBJECT_DATABASE: "DATABASE",
}


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    node = statement.node
    if any(option.def_elem.defname == "concurrently" for option in node.params):
        return
    if node.kind in _WIDE:
        what = f"{_WIDE[node.kind]} {node.name}".strip()
        message = f"REINDEX {what} builds all its indexes anew, one table after the other, while writers wait"
        yield Hit(message, values={"name": f"{_WIDE[node.kind]} CONCURRENTLY {names.quoted(node.name)}".strip()})
        return
    name = names.of_range(node.relation)
    is_index = node.kind == pg.REINDEX_OBJECT_INDEX
    owner = session.index_table(name) if is_index else session.relation(name)
    what = f"{'INDEX' if is_index else 'TABLE'} CONCURRENTLY {names.quoted(name)}"
    message = f"REINDEX {name} blocks all writes to its table, and every read that wants the index, until it is built"
    if owner is None:
        if not session.made_here("index", name):
            yield Hit(message, values={"name": what})
    elif burden.is_felt(owner):
        yield burden.hit(owner.name, owner, message, values={"name": what})


RULE = Rule(
    id="reindex-blocking",
    severity="hazard",
    nodes=("reindex_stmt",),
    what="An index is built anew while writers wait.",
    why="SHARE is held on the table and ACCESS EXCLUSIVE on the index for the whole build. The planner looks at every"
    " index of a table, so that most reads wait as well.",
    safe_way="Outside of a transaction (autocommit_block): REINDEX {name} (PostgreSQL 12+).",
    check=check,
)
