"""An expression of the input as SQL text, and whether it may be put to the rows of a target."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import postgast

from migrations_app.engines.risk import names
from migrations_app.engines.risk.names import Node, inner
from migrations_app.engines.risk.nested import function_calls
from migrations_app.engines.risk.volatility import is_volatile

_HARMLESS = {
    "A_Const", "ColumnRef", "String", "Integer", "Float", "Boolean", "BitString", "A_Expr", "BoolExpr", "NullTest",
    "BooleanTest", "TypeCast", "TypeName", "FuncCall", "CoalesceExpr", "MinMaxExpr", "CaseExpr", "CaseWhen",
    "A_ArrayExpr", "A_Indirection", "A_Indices", "CollateClause", "SQLValueFunction", "List", "Node", "RowExpr",
}  # fmt: skip

_ABOUT_THE_SERVER = ("pg_", "lo_", "loread", "lowrite", "brin_", "gin_", "binary_upgrade")
"""Many of these act on the server, and none belongs into a condition on rows."""


@cache
def _frame() -> Node:
    return postgast.parse("SELECT 1")


def spelled(expression: Node) -> str:
    """The expression as PostgreSQL would read it again; empty when it cannot be written out."""
    tree = type(_frame())()
    tree.CopyFrom(_frame())
    place = tree.stmts[0].stmt.select_stmt.target_list[0].res_target.val
    place.CopyFrom(expression)
    try:
        return str(postgast.deparse(tree)).removeprefix("SELECT ")
    except postgast.PgQueryError:
        return ""


def read(text: str) -> Node | None:
    """The parse tree of an expression; None when it cannot be read."""
    try:
        tree = postgast.parse(f"SELECT {text}")
    except postgast.PgQueryError:
        return None
    targets = tree.stmts[0].stmt.select_stmt.target_list
    return targets[0].res_target.val if len(targets) == 1 else None


def parts(node: Node) -> Iterator[Node]:
    """The node and all below it."""
    node = inner(node)
    yield node
    for field, value in node.ListFields():
        if field.type == field.TYPE_MESSAGE:
            for child in [value] if hasattr(value, "DESCRIPTOR") else value:
                yield from parts(child)


def columns_of(expression: Node) -> set[str]:
    """The columns that it reads, by their last names; "*" for a whole row."""
    found = set()
    for part in parts(expression):
        if part.DESCRIPTOR.name == "ColumnRef":
            found.add(names.of_strings(part.fields).rpartition(".")[2] or "*")
    return found


def is_harmless(expression: Node) -> bool:
    """Whether it may be asked: operators, constants, columns and PostgreSQL's own functions that change nothing."""
    called = (names.bare(names.of_strings(call.funcname)).lower() for call in function_calls(expression))
    if any(name.startswith(_ABOUT_THE_SERVER) for name in called):
        return False
    return all(part.DESCRIPTOR.name in _HARMLESS for part in parts(expression)) and not is_volatile(expression)
