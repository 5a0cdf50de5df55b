from __future__ import annotations

from collections.abc import Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import drops, names
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.names import Node
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement

_CHANGED = {"alter_table_stmt", "rename_stmt", "alter_object_schema_stmt", "create_trig_stmt"}
_RELATIONS = {pg.OBJECT_TABLE, pg.OBJECT_VIEW, pg.OBJECT_MATVIEW, pg.OBJECT_FOREIGN_TABLE}


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    if session.facts is None:
        return
    node = statement.node
    if statement.node_name == "drop_stmt":
        for item in node.objects:
            name = names.of_object(item)
            if extension := _owner(node.remove_type, item, session):
                message = (
                    f"{name} belongs to the extension {extension}: PostgreSQL refuses to drop it, with CASCADE too"
                )
                yield Hit(message, name, fails="2BP01", values={"name": names.quoted(extension)})
    elif statement.node_name in _CHANGED and node.HasField("relation"):
        name = names.of_range(node.relation)
        relation = session.relation(name)
        if relation.is_existing and relation.facts is not None and relation.facts.extension:
            extension = relation.facts.extension
            message = f"{name} belongs to the extension {extension}, which knows nothing of this change"
            yield Hit(message, name, values={"name": names.quoted(extension)})


def _owner(kind: int, item: Node, session: Session) -> str | None:
    """The extension that the dropped object belongs to."""
    name, extension = names.of_object(item), None
    if kind in _RELATIONS:
        relation = session.relation(name)
        extension = relation.facts.extension if relation.is_existing and relation.facts else None
    elif kind in drops.ROUTINES and not session.made_here("function", name):
        extension = next((each.extension for each in drops.routines(item, session) or () if each.extension), None)
    elif kind in drops.TYPES and session.facts is not None:
        known = session.facts.type_of(name)
        extension = known.extension if known and not session.made_here("type", name) else None
    return extension


RULE = Rule(
    id="extension-owned-object",
    severity="hazard",
    nodes=("@lock", *(f"drop_stmt/OBJECT_{kind}" for kind in ("FUNCTION", "PROCEDURE", "TYPE", "DOMAIN", "ROUTINE"))),
    what="Something that an extension made is changed by hand.",
    why="A dump leaves such objects to the extension, so that the change is missing from every restore, and ALTER"
    " EXTENSION ... UPDATE may undo it or fail on it.",
    safe_way="Change it by the extension's own means (ALTER EXTENSION {name} UPDATE, its functions), or keep what you"
    " need in a table of your own. To own it yourself: ALTER EXTENSION {name} DROP TABLE {table}.",
    check=check,
)
