"""The value of an expression that does not depend on any row."""

from __future__ import annotations

import operator as operators
import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk.names import Node, bare, inner, of_strings

UNKNOWN: Final = object()
"""Not a constant; None is SQL's NULL."""

_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operators.eq,
    "<>": operators.ne,
    "!=": operators.ne,
    "<": operators.lt,
    "<=": operators.le,
    ">": operators.gt,
    ">=": operators.ge,
}
_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {"+": operators.add, "-": operators.sub, "*": operators.mul}
_VOLATILE = {"random", "clock_timestamp", "gen_random_uuid", "nextval", "timeofday", "uuid_generate_v4"}
_NEVER_NEGATIVE = {"length", "char_length", "character_length", "octet_length", "abs", "cardinality"}


def constant(node: Node) -> Any:
    """The Python value of a constant expression, None for NULL, UNKNOWN when it is not constant."""
    node = inner(node)
    kind = node.DESCRIPTOR.name
    if kind == "A_Const":
        return _literal(node)
    if kind == "TypeCast":
        return _cast(constant(node.arg), bare(of_strings(node.type_name.names)))
    if kind == "A_Expr" and node.kind == pg.AEXPR_OP:
        return _operation(node)
    if kind == "CoalesceExpr":
        for argument in node.args:
            value = constant(argument)
            if value is not None:
                return value
        return None
    if kind == "BoolExpr" and node.boolop == pg.NOT_EXPR:
        value = constant(node.args[0])
        return not value if isinstance(value, bool) else UNKNOWN if value is not None else None
    return UNKNOWN


def _literal(node: Node) -> Any:
    if node.isnull:
        return None
    which = node.WhichOneof("val")
    if which == "fval":
        return Decimal(node.fval.fval)
    values = {"ival": node.ival.ival, "sval": node.sval.sval, "boolval": node.boolval.boolval}
    return values.get(which, UNKNOWN)


def _cast(value: Any, type_name: str) -> Any:
    if value is None or value is UNKNOWN:
        return value
    try:
        if type_name == "bool":
            return (
                value.strip().lower() in ("t", "true", "y", "yes", "on", "1") if isinstance(value, str) else bool(value)
            )
        if type_name in ("int2", "int4", "int8"):
            return int(value)
        if type_name in ("numeric", "float4", "float8"):
            return Decimal(value)
    except (ValueError, InvalidOperation):
        return UNKNOWN
    return str(value) if type_name in ("text", "varchar", "bpchar") and not isinstance(value, bool) else UNKNOWN


def _operation(node: Node) -> Any:
    symbol = of_strings(node.name)
    left = constant(node.lexpr) if node.HasField("lexpr") else 0
    right = constant(node.rexpr)
    if UNKNOWN in (left, right):
        return UNKNOWN
    if symbol in _COMPARISONS:
        return compare(symbol, left, right)
    if None in (left, right):
        return None
    if symbol == "||" and isinstance(left, str) and isinstance(right, str):
        return left + right
    if symbol in _ARITHMETIC and _is_number(left) and _is_number(right):
        return _ARITHMETIC[symbol](left, right)
    return UNKNOWN


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, Decimal)) and not isinstance(value, bool)


def compare(symbol: str, left: Any, right: Any) -> Any:
    """`left symbol right` over constants: True, False, None for NULL, UNKNOWN when it cannot be told."""
    if UNKNOWN in (left, right):
        return UNKNOWN
    if None in (left, right):
        return None
    if symbol in ("~~", "~~*") and isinstance(left, str) and isinstance(right, str):
        pattern = re.escape(right).replace("%", ".*").replace("_", ".")
        flags = re.DOTALL | (re.IGNORECASE if symbol == "~~*" else 0)
        return re.fullmatch(pattern, left, flags) is not None
    # A literal in quotes takes the type of the other side: 1 = '1'.
    if isinstance(left, str) != isinstance(right, str):
        text, other = (left, right) if isinstance(left, str) else (right, left)
        casted = _cast(text, "bool" if isinstance(other, bool) else "numeric")
        left, right = (casted, other) if isinstance(left, str) else (other, casted)
    if UNKNOWN in (left, right) or symbol not in _COMPARISONS or isinstance(left, bool) != isinstance(right, bool):
        return UNKNOWN
    try:
        return _COMPARISONS[symbol](left, right)
    except InvalidOperation:  # NaN, which PostgreSQL orders and Python does not
        return UNKNOWN


def simplified(node: Node) -> Node:
    """The expression without what changes nothing: `+ 0`, `- 0`, `* 1`, `|| ''`."""
    node = inner(node)
    while node.DESCRIPTOR.name == "A_Expr" and node.kind == pg.AEXPR_OP:
        symbol = of_strings(node.name)
        neutral = {"+": 0, "-": 0, "*": 1, "||": ""}.get(symbol, UNKNOWN)
        if neutral is UNKNOWN:
            return node
        if _is_exactly(constant(node.rexpr), neutral):
            node = inner(node.lexpr)
        elif symbol != "-" and node.HasField("lexpr") and _is_exactly(constant(node.lexpr), neutral):
            node = inner(node.rexpr)
        else:
            return node
    return node


def _is_exactly(value: Any, neutral: Any) -> bool:
    return value is not UNKNOWN and type(value) is type(neutral) and value == neutral


def is_volatile(node: Node) -> bool:
    """Whether the same spelling twice may give two values."""
    node = inner(node)
    if node.DESCRIPTOR.name == "FuncCall" and bare(of_strings(node.funcname)) in _VOLATILE:
        return True
    children = [
        child
        for field, value in node.ListFields()
        if field.type == field.TYPE_MESSAGE
        for child in ([value] if hasattr(value, "DESCRIPTOR") else value)
    ]
    return any(is_volatile(child) for child in children)


def holds_for_any(symbol: str, left: Node, right: Node) -> bool:
    """Comparisons that every usual row passes: `name LIKE '%'`, `length(name) >= 0`, `id > 0`."""
    value = constant(right)
    if value is UNKNOWN or value is None:
        return False
    if symbol in ("~~", "~~*"):
        return isinstance(value, str) and value != "" and set(value) == {"%"}
    if symbol in ("~", "~*"):
        return value in ("", ".*", "^", "$", "^.*$")
    if not _is_number(value):
        return False
    kind = left.DESCRIPTOR.name
    if kind == "FuncCall" and bare(of_strings(left.funcname)) in _NEVER_NEGATIVE:
        return (symbol == ">=" and value <= 0) or (symbol == ">" and value < 0)
    # A key named id is drawn from a sequence, which begins at 1.
    is_key = kind == "ColumnRef" and of_strings(left.fields).rpartition(".")[2] == "id"
    return is_key and (
        (symbol == ">=" and value <= 1) or (symbol == ">" and value <= 0) or (symbol == "<>" and value <= 0)
    )
