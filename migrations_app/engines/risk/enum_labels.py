"""Which labels of an enum are missing from the type that a column gets instead."""

from __future__ import annotations

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import column_types, names
from migrations_app.engines.risk.names import Node, inner
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement

_TYPES = (pg.OBJECT_TYPE, pg.OBJECT_DOMAIN)


def missing(column_type: str, command: Node, statement: Statement, session: Session) -> tuple[str, ...]:
    """The labels of the column's enum that the new one of this ALTER COLUMN TYPE lacks; empty when it is no enum."""
    new = column_types.from_node(getattr(command, "def").column_def.type_name)
    old = column_types.parse(column_type)
    if old is None or new.dimensions != old.dimensions:
        return ()
    before = session.type_labels(current_name(old.base, statement, session))
    after = session.type_labels(new.base)
    return () if before is None or after is None else tuple(label for label in before if label not in after)


def current_name(name: str, statement: Statement, session: Session) -> str:
    """What a type of this name, by the catalog, is called now: the input may have renamed it and made another."""
    for earlier in session.statements[: max(statement.index, 0)]:
        node = earlier.node
        is_renaming = earlier.node_name == "rename_stmt" and node.rename_type in _TYPES
        if is_renaming and names.bare(names.of_object(node.object)) == names.bare(name):
            name = str(node.newname)
    return name


def is_plain_cast(command: Node, column: str) -> bool:
    """Whether USING only spells the same label in the new type, so that a missing one makes it fail."""
    definition = getattr(command, "def").column_def
    node = inner(definition.raw_default) if definition.HasField("raw_default") else None
    if node is None or node.DESCRIPTOR.name != "TypeCast":
        return False
    while node.DESCRIPTOR.name == "TypeCast":
        node = inner(node.arg)
    return node.DESCRIPTOR.name == "ColumnRef" and names.bare(names.of_strings(node.fields)) == column
