"""How many rows a change with a condition reaches, as far as its text and the keys of the table tell."""

from __future__ import annotations

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import names
from migrations_app.engines.risk.names import Node, inner
from migrations_app.engines.risk.session import Relation

MANY_ROWS = 10_000
"""A statement that changes more keeps its row locks for seconds, and replicas behind."""


def is_point(where: Node | None, relation: Relation) -> bool:
    """Whether the condition names single rows: `id = 5`, `id IN (1, 2)`, `slug = 'x' AND ...` over a unique column."""
    if where is None:
        return False
    node = inner(where)
    if node.DESCRIPTOR.name == "BoolExpr" and node.boolop == pg.AND_EXPR:
        return any(is_point(argument, relation) for argument in node.args)
    if node.DESCRIPTOR.name != "A_Expr" or node.kind not in (pg.AEXPR_OP, pg.AEXPR_IN):
        return False
    if names.of_strings(node.name) != "=" or inner(node.lexpr).DESCRIPTOR.name != "ColumnRef":
        return False
    column = names.bare(names.of_strings(inner(node.lexpr).fields))
    return is_constant(node.rexpr) and _is_unique(column, relation)


def is_constant(node: Node) -> bool:
    """A literal, a parameter, a cast of one, or a list of them."""
    node = inner(node)
    kind = node.DESCRIPTOR.name
    if kind == "List":
        return all(map(is_constant, node.items))
    return kind in ("A_Const", "ParamRef") or (kind == "TypeCast" and is_constant(node.arg))


def _is_unique(column: str, relation: Relation) -> bool:
    facts = relation.facts
    if facts is None or not facts.indexes:
        # Without a catalog the name that a key usually has is believed.
        return column == "id"
    return any(index.unique and index.valid and index.columns == (column,) for index in facts.indexes)


def may_be_many(relation: Relation) -> bool:
    """Whether the table may hold so many rows that changing them in one statement hurts."""
    facts = relation.facts
    if relation.holds_nothing_old:
        return False
    return facts is None or facts.rows is None or facts.rows >= MANY_ROWS
