"""ALTER COLUMN ... TYPE ... USING: whether the expression keeps every value of the column apart."""

from __future__ import annotations

from migrations_app.engines.risk import column_types, names
from migrations_app.engines.risk.column_types import ColumnType
from migrations_app.engines.risk.names import Node, inner

# Functions of the column that can be undone, or only spell the value differently.
_KEEPS = {"to_timestamp", "to_jsonb", "to_json", "encode", "decode", "timezone", "array_to_json", "row_to_json"}


def loses(expression: Node, column: str, old: ColumnType | None) -> str | None:
    """What the USING expression throws away; None when it keeps every value."""
    node = inner(expression)
    kind = node.DESCRIPTOR.name
    if kind == "ColumnRef":
        return None if names.of_strings(node.fields).rpartition(".")[2] == column else "it takes another column"
    if kind == "TypeCast":
        return _cast_loses(node, column, old)
    if kind == "FuncCall" and names.bare(names.of_strings(node.funcname)) in _KEEPS:
        return _first_of(node.args, column, old)
    if kind == "CoalesceExpr":
        return loses(node.args[0], column, old)
    if kind == "A_ArrayExpr" and len(node.elements) == 1:
        return loses(node.elements[0], column, old)
    if kind == "CaseExpr" and old is not None and old.base == "bool":
        return None
    if kind == "A_Expr":
        return _operation_loses(node, column, old)
    return "the expression need not keep every value"


def _first_of(arguments: Node, column: str, old: ColumnType | None) -> str | None:
    losses = [loses(argument, column, old) for argument in arguments if inner(argument).DESCRIPTOR.name != "A_Const"]
    return losses[0] if losses else "the expression is a constant"


def _cast_loses(node: Node, column: str, old: ColumnType | None) -> str | None:
    """Each cast on the way must hold everything: c::integer::bigint of a numeric column rounds."""
    below = loses(node.arg, column, old)
    if below:
        return below
    inward = inner(node.arg)
    held = column_types.from_node(inward.type_name) if inward.DESCRIPTOR.name == "TypeCast" else old
    target = column_types.from_node(node.type_name)
    if held is None or held.base in ("text", "varchar"):
        # From text every cast reads the whole value or fails; a length is the exception: an explicit cast cuts.
        cuts = target.base in ("varchar", "bpchar", "bit", "varbit") and target.mods
        return f"the cast to {target} cuts silently" if cuts else None
    return column_types.narrowing(held, target) if inward.DESCRIPTOR.name == "TypeCast" else None


def _operation_loses(node: Node, column: str, old: ColumnType | None) -> str | None:
    """`c + 1`, `'x' || c` and `c * 100` can be undone; a comparison leaves two values."""
    operator = names.of_strings(node.name)
    sides = [side for side in (node.lexpr, node.rexpr) if inner(side).DESCRIPTOR.name != "A_Const"]
    if operator in ("+", "-", "*", "||") and len(sides) == 1:
        return loses(sides[0], column, old)
    return "the expression need not keep every value"
