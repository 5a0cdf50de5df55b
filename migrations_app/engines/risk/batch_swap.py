"""Alembic's batch_alter_table(recreate="always"): a copy of the table is made, filled, and put in its place."""

from __future__ import annotations

from dataclasses import dataclass

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import names
from migrations_app.engines.risk.names import Node, inner
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement

PREFIX = "_alembic_tmp_"


@dataclass(frozen=True)
class Swap:
    """`table` is copied into `copy`, its columns `kept`, then dropped, and the copy takes its name."""

    table: str
    copy: str
    kept: frozenset[str]


def of_table(table: str, session: Session) -> Swap | None:
    """The swap of this table that the input makes; None unless all of its four statements are there."""
    schema, _, bare = table.rpartition(".")
    copy = f"{schema}.{PREFIX}{bare}" if schema else f"{PREFIX}{bare}"
    if session.qualified(copy) not in session.relations:
        return None
    kept: frozenset[str] | None = None
    steps = {"create": False, "drop": False, "rename": False}
    for statement in session.statements:
        node = statement.node
        if statement.node_name == "create_stmt":
            steps["create"] |= names.of_range(node.relation) == copy
        elif statement.node_name == "insert_stmt" and names.of_range(node.relation) == copy and _reads(node, table):
            kept = frozenset(column for item in inner(node.select_stmt).target_list for column in _columns(item))
        elif statement.node_name == "drop_stmt":
            steps["drop"] |= _drops(statement, table)
        elif statement.node_name == "rename_stmt" and node.rename_type == pg.OBJECT_TABLE:
            steps["rename"] |= names.of_range(node.relation) == copy and node.newname == bare
    return Swap(table, copy, kept) if kept is not None and all(steps.values()) else None


def _reads(node: Node, table: str) -> bool:
    query = inner(node.select_stmt)
    return [names.of_range(item.range_var) for item in query.from_clause] == [table] and not query.HasField(
        "where_clause"
    )


def _columns(item: Node) -> list[str]:
    value = inner(item.res_target.val)
    while value.DESCRIPTOR.name == "TypeCast":
        value = inner(value.arg)
    return [names.bare(names.of_strings(value.fields))] if value.DESCRIPTOR.name == "ColumnRef" else []


def _drops(statement: Statement, table: str) -> bool:
    node = statement.node
    return node.remove_type == pg.OBJECT_TABLE and [names.of_object(item) for item in node.objects] == [table]
