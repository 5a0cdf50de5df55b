"""A loop of plpgsql over the rows of a query, with a DELETE or UPDATE of each: in effect a join with that query."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import postgast

from migrations_app.engines.risk import names, parser
from migrations_app.engines.risk.names import Node, inner
from migrations_app.engines.risk.statements import Statement
from migrations_app.errors import TooLarge

_BESIDE = {"delete_stmt": "using_clause", "update_stmt": "from_clause"}


@dataclass(frozen=True, slots=True)
class Rows:
    """What a variable or cursor stands for: each row of the query in turn; `place` of a variable for one value."""

    name: str
    query: str
    place: int | None = None


def joined(statement: Statement, loops: Sequence[Rows]) -> Statement:
    """The statement with the queries of the loops around it that it looks at, as if they stood in USING or FROM."""
    field = _BESIDE.get(statement.node_name)
    if field is None or not loops or not statement.node.HasField("where_clause"):
        return statement
    node = type(statement.node)()
    node.CopyFrom(statement.node)
    for rows in loops:
        source = _source(rows)
        if source is not None and _looks_at(node, rows, source):
            getattr(node, field).append(source)
    return replace(statement, node=node)


def _source(rows: Rows) -> Node | None:
    try:
        tree = parser.parse(f"DELETE FROM x USING ({rows.query}) AS {names.quoted(rows.name)}")  # noqa: S608 - only parsed
    except (postgast.PgQueryError, TooLarge):
        return None
    return tree.stmts[0].stmt.delete_stmt.using_clause[0]


def _looks_at(node: Node, rows: Rows, source: Node) -> bool:
    """Whether the condition names the row; a cursor, or a variable for one value, is spelled as a column of it."""
    where, current = node.where_clause, inner(node.where_clause)
    if current.DESCRIPTOR.name == "CurrentOfExpr":
        if current.cursor_name != rows.name:
            return False
        own = node.relation.alias.aliasname or node.relation.relname
        same = read_expression(f"{names.quoted(own)}.ctid = {names.quoted(rows.name)}.ctid")
        if same is not None:
            where.CopyFrom(same)
        return same is not None
    found = False
    for reference in _references(where, rows.name):
        if rows.place is None:
            found = found or len(reference.fields) > 1
        elif len(reference.fields) == 1 and (column := _column(source, rows.place)):
            reference.fields.add().string.sval = column
            found = True
    return found


def _references(where: Node, name: str) -> Iterator[Node]:
    node = inner(where)
    if node.DESCRIPTOR.name == "ColumnRef":
        if node.fields and node.fields[0].string.sval == name:
            yield node
        return
    for field, value in node.ListFields():
        if field.type == field.TYPE_MESSAGE:
            for child in [value] if hasattr(value, "DESCRIPTOR") else value:
                yield from _references(child, name)


def read_expression(text: str) -> Node | None:
    """The parse tree of an expression; None when it cannot be read."""
    try:
        tree = parser.parse(f"SELECT {text}")
    except (postgast.PgQueryError, TooLarge):
        return None
    targets = tree.stmts[0].stmt.select_stmt.target_list
    return targets[0].res_target.val if len(targets) == 1 else None


def _column(source: Node, place: int) -> str:
    """The column that the query selects in this place; empty for an expression."""
    targets = inner(source.range_subselect.subquery).target_list
    value = inner(targets[place].res_target.val) if place < len(targets) else None
    is_column = value is not None and value.DESCRIPTOR.name == "ColumnRef"
    return names.bare(names.of_strings(value.fields)) if value is not None and is_column else ""
