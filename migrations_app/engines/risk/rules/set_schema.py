from __future__ import annotations

from collections.abc import Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import bridges, drops, names
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement

_RELATIONS = {pg.OBJECT_TABLE, pg.OBJECT_VIEW, pg.OBJECT_MATVIEW, pg.OBJECT_FOREIGN_TABLE}
_OTHERS = {
    **dict.fromkeys(drops.TYPES, "type"),
    **dict.fromkeys(drops.ROUTINES, "function"),
    pg.OBJECT_SEQUENCE: "sequence",
}


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    node = statement.node
    if node.object_type in _RELATIONS:
        name = names.of_range(node.relation)
        if not session.relation(name).is_existing:
            return
        if session.qualified(name) == f"{node.newschema}.{names.bare(name)}":
            return
        if bridges.view_named(session.qualified(name), statement, session) is None:
            yield Hit(f"{name} moves to the schema {node.newschema}", name, values=_spelled(name, node.newschema))
    elif kind := _OTHERS.get(node.object_type):
        name = names.of_range(node.relation) if node.HasField("relation") else names.of_object(node.object)
        if not session.made_here(kind, name):
            yield Hit(f"The {kind} {name} moves to the schema {node.newschema}", values=_spelled(name, node.newschema))


def _spelled(name: str, schema: str) -> dict[str, str]:
    return {"name": names.quoted(f"{schema}.{names.bare(name)}")}


RULE = Rule(
    id="set-schema",
    severity="hazard",
    nodes=("alter_object_schema_stmt",),
    what="Something that running code uses moves to another schema.",
    why="Code that names the old schema fails, and so does code that names none, unless its search_path lists the new"
    " one. Bodies of functions mean the old place, too.",
    safe_way="In one transaction: move it, then CREATE VIEW {table} AS SELECT * FROM {name}; drop the view once"
    " nothing uses the old name. For what is no table, make a copy in the new schema first.",
    check=check,
)
