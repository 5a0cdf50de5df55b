"""How many rows a change with a condition reaches, as far as its text and the keys of the table tell."""

from __future__ import annotations

from collections.abc import Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import names
from migrations_app.engines.risk.names import Node, inner
from migrations_app.engines.risk.rows.constants import UNKNOWN, constant
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


def single_key(where: Node, relation: Relation) -> object | None:
    """The value in `key = value`, over a unique column; None when the condition is another."""
    node = inner(where)
    if node.DESCRIPTOR.name != "A_Expr" or not is_point(node, relation):
        return None
    value = constant(node.rexpr)
    return None if value is UNKNOWN else value


def is_batch(where: Node | None, relation: Relation) -> bool:
    """Whether the condition lets at most MANY_ROWS rows through: single rows, a stretch of an integer key, or a key
    that is looked up in a query with a LIMIT."""
    if where is None:
        return False
    parts = list(_joined_by_and(where))
    if any(is_point(part, relation) or _is_limited(part, relation) for part in parts):
        return True
    low: dict[str, int] = {}
    high: dict[str, int] = {}
    for column, bottom, top in filter(None, map(_stretch, parts)):
        if _is_unique(column, relation):
            low |= {} if bottom is None else {column: bottom}
            high |= {} if top is None else {column: top}
    return any(high[column] - low[column] < MANY_ROWS for column in low.keys() & high.keys())


def _joined_by_and(where: Node) -> Iterator[Node]:
    node = inner(where)
    if node.DESCRIPTOR.name == "BoolExpr" and node.boolop == pg.AND_EXPR:
        for argument in node.args:
            yield from _joined_by_and(argument)
    else:
        yield node


def _stretch(node: Node) -> tuple[str, int | None, int | None] | None:
    """The column that is compared with integers, and the lowest and highest value that it may have."""
    if node.DESCRIPTOR.name != "A_Expr" or (column := _column(node.lexpr)) is None:
        return None
    if node.kind == pg.AEXPR_BETWEEN:
        bottom, top = map(constant, node.rexpr.list.items)
        return (column, bottom, top) if type(bottom) is int and type(top) is int else None
    value, operator = constant(node.rexpr), names.of_strings(node.name)
    if node.kind != pg.AEXPR_OP or type(value) is not int:
        return None
    if operator in ("<", "<="):
        return column, None, value - (operator == "<")
    return (column, value + (operator == ">"), None) if operator in (">", ">=") else None


def _is_limited(node: Node, relation: Relation) -> bool:
    """`id IN (SELECT id ... LIMIT 1000)`, by a key or the place of the row."""
    if node.DESCRIPTOR.name != "SubLink" or node.sub_link_type != pg.ANY_SUBLINK:
        return False
    query, column = inner(node.subselect), _column(node.testexpr)
    limit = constant(query.limit_count) if query.DESCRIPTOR.name == "SelectStmt" else None
    return (
        type(limit) is int
        and limit <= MANY_ROWS
        and column is not None
        and (column == "ctid" or _is_unique(column, relation))
    )


def _column(node: Node) -> str | None:
    node = inner(node)
    return names.bare(names.of_strings(node.fields)) if node.DESCRIPTOR.name == "ColumnRef" else None


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
