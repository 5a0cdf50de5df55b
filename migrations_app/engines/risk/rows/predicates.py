"""Whether a WHERE really selects rows, or is true (or false) for all of them, however it is spelled.

A predicate that reads no column of the changed table is all or nothing, and counts as all: `WHERE EXISTS (SELECT 1)`.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations
from typing import Any

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk.names import Node, inner, of_strings
from migrations_app.engines.risk.rows import constants, subqueries
from migrations_app.engines.risk.rows.constants import UNKNOWN, compare, constant, simplified
from migrations_app.engines.risk.rows.scope import Scope, Truth, references

_NEGATED = {Truth.TRUE: Truth.FALSE, Truth.FALSE: Truth.TRUE}
_REFLEXIVE = {"=", "<=", ">=", "~~", "~~*"}
_IRREFLEXIVE = {"<>", "!=", "<", ">"}
_OPPOSITE = {"=": "<>", "<>": "=", "!=": "=", "<": ">=", ">=": "<", ">": "<=", "<=": ">", "~~": "!~~", "!~~": "~~"}


def selects_all(
    where: Node | None, scope: Scope, beside: Iterable[Node] = (), *, joined_by: Node | None = None
) -> bool:
    """Whether the rows that the predicate selects are, or may at once be, all rows of the table.

    `beside` is what stands in USING or FROM next to the table; `joined_by` is the ON of a MERGE.
    """
    if where is None:
        return True
    scope = subqueries.with_sources(scope, beside, fold)
    scope = subqueries.with_joined_twins(scope, where if joined_by is None else joined_by, fold)
    return fold(where, scope) in (Truth.TRUE, Truth.FLAT)


def fold(node: Node, scope: Scope) -> Truth:
    """The truth of a predicate, as far as it can be known without the rows."""
    node = inner(node)
    folder = _FOLDERS.get(node.DESCRIPTOR.name)
    truth = folder(node, scope) if folder else None
    if truth is None:
        value = constant(node)
        truth = _of_value(value) if value is not UNKNOWN else _by_reference(node, scope)
    return truth


def _of_value(value: Any) -> Truth:
    if value is None:
        return Truth.NULL
    if isinstance(value, str):
        value = value.strip().lower() in ("t", "true", "y", "yes", "on", "1")
    return Truth.TRUE if value else Truth.FALSE


def _by_reference(node: Node, scope: Scope) -> Truth:
    return Truth.MIXED if references(node, scope) else Truth.FLAT


def _bool_expr(node: Node, scope: Scope) -> Truth:
    truths = [fold(argument, scope) for argument in node.args]
    if node.boolop == pg.NOT_EXPR:
        return _NEGATED.get(truths[0], truths[0])
    covering, deciding = (Truth.FALSE, Truth.TRUE) if node.boolop == pg.AND_EXPR else (Truth.TRUE, Truth.FALSE)
    if covering in truths or any(_are_opposite(a, b, scope) for a, b in combinations(node.args, 2)):
        return covering
    if node.boolop == pg.AND_EXPR:
        order = (Truth.NULL, Truth.MIXED, Truth.FLAT, deciding)
    else:
        if any(_overlap(a, b, scope) for a, b in combinations(node.args, 2)):
            return Truth.TRUE
        order = (Truth.FLAT, Truth.MIXED, Truth.NULL, deciding)
    return next(truth for truth in order if truth in truths)


def _are_opposite(left: Node, right: Node, scope: Scope) -> bool:
    """`a` and `NOT a`, `x IS NULL` and `x IS NOT NULL`, `x = 1` and `x <> 1` (which miss only rows where x is NULL)."""
    left, right = inner(left), inner(right)
    for one, other in ((left, right), (right, left)):
        if one.DESCRIPTOR.name == "BoolExpr" and one.boolop == pg.NOT_EXPR:
            return scope.shape(one.args[0]) == scope.shape(other)
    if left.DESCRIPTOR.name != right.DESCRIPTOR.name:
        return False
    if left.DESCRIPTOR.name == "NullTest":
        return bool(left.nulltesttype != right.nulltesttype) and scope.shape(left.arg) == scope.shape(right.arg)
    if left.DESCRIPTOR.name == "BooleanTest":
        pairs = ({pg.IS_TRUE, pg.IS_NOT_TRUE}, {pg.IS_FALSE, pg.IS_NOT_FALSE}, {pg.IS_UNKNOWN, pg.IS_NOT_UNKNOWN})
        return {left.booltesttype, right.booltesttype} in pairs and scope.shape(left.arg) == scope.shape(right.arg)
    if left.DESCRIPTOR.name != "A_Expr" or scope.shape(left.lexpr) != scope.shape(right.lexpr):
        return False
    if left.kind in (pg.AEXPR_BETWEEN, pg.AEXPR_NOT_BETWEEN):
        flipped = {left.kind, right.kind} == {pg.AEXPR_BETWEEN, pg.AEXPR_NOT_BETWEEN}
    else:
        flipped = left.kind == right.kind and _OPPOSITE.get(of_strings(left.name)) == of_strings(right.name)
    return flipped and scope.shape(left.rexpr) == scope.shape(right.rexpr)


def _overlap(left: Node, right: Node, scope: Scope) -> bool:
    """`x < 10 OR x > 5`, `x <> 1 OR x <> 2`: two comparisons with constants that leave no gap."""
    left, right = inner(left), inner(right)
    if left.DESCRIPTOR.name != "A_Expr" or right.DESCRIPTOR.name != "A_Expr":
        return False
    if scope.shape(left.lexpr) != scope.shape(right.lexpr):
        return False
    first, second = constant(left.rexpr), constant(right.rexpr)
    operators = of_strings(left.name), of_strings(right.name)
    if operators == ("<>", "<>"):
        return first is not UNKNOWN and second is not UNKNOWN and bool(first != second)
    if operators[0][:1] == ">" and operators[1][:1] == "<":
        first, second = second, first
    elif not (operators[0][:1] == "<" and operators[1][:1] == ">"):
        return False
    return compare(">", first, second) is True


def _a_expr(node: Node, scope: Scope) -> Truth | None:
    if node.kind in (pg.AEXPR_BETWEEN, pg.AEXPR_NOT_BETWEEN):
        return _between(node, scope)
    if node.kind in (pg.AEXPR_IN, pg.AEXPR_OP_ANY, pg.AEXPR_OP_ALL):
        return subqueries.in_list(node, scope, fold)
    if node.kind not in (pg.AEXPR_OP, pg.AEXPR_DISTINCT, pg.AEXPR_NOT_DISTINCT, pg.AEXPR_LIKE, pg.AEXPR_ILIKE):
        return None
    operator = {pg.AEXPR_DISTINCT: "<>", pg.AEXPR_NOT_DISTINCT: "="}.get(node.kind) or of_strings(node.name)
    left, right = (_without_coalesce(simplified(side), scope) for side in (node.lexpr, node.rexpr))
    values = constant(left), constant(right)
    if UNKNOWN not in values:
        if node.kind in (pg.AEXPR_DISTINCT, pg.AEXPR_NOT_DISTINCT):
            return _of_value((values[0] == values[1]) == (operator == "="))
        outcome = compare(operator, *values)
        return None if outcome is UNKNOWN else _of_value(outcome)
    if constants.is_volatile(left) or constants.is_volatile(right):
        return None
    if operator == "=" and subqueries.joins_parent(left, right, scope):
        return Truth.TRUE
    if scope.shape(left) == scope.shape(right) or _joins_twin(operator, left, right, scope):
        return Truth.TRUE if operator in _REFLEXIVE else Truth.FALSE if operator in _IRREFLEXIVE else None
    holds = constants.holds_for_any(operator, left, right) or subqueries.is_beyond_all(
        operator, left, right, scope, fold
    )
    return Truth.TRUE if holds else None


def _without_coalesce(node: Node, scope: Scope) -> Node:
    """COALESCE(column, ...) of a NOT NULL column is the column."""
    node = inner(node)
    first = inner(node.args[0]) if node.DESCRIPTOR.name == "CoalesceExpr" else node
    is_column = first.DESCRIPTOR.name == "ColumnRef" and scope.owns(first, in_subquery=False)
    return first if is_column and scope.relation.column(of_strings(first.fields).rpartition(".")[2]).not_null else node


def _current_of(node: Node, scope: Scope) -> Truth:  # noqa: ARG001 - called like the others
    return Truth.MIXED


def _joins_twin(operator: str, left: Node, right: Node, scope: Scope) -> bool:
    """`t.id = t2.id` where t2 is the same table in full: each row finds at least itself."""
    left, right = inner(left), inner(right)
    if operator != "=" or left.DESCRIPTOR.name != "ColumnRef" or right.DESCRIPTOR.name != "ColumnRef":
        return False
    pairs = [of_strings(side.fields).rpartition(".") for side in (left, right)]
    if pairs[0][2] != pairs[1][2]:
        return False
    sides = [alias.rpartition(".")[2] for alias, _, _ in pairs]
    own = [side in scope.aliases or not side for side in sides]
    return any(side in scope.twins and own[1 - position] for position, side in enumerate(sides))


def _between(node: Node, scope: Scope) -> Truth | None:
    low, high = node.rexpr.list.items
    value, bottom, top = constant(node.lexpr), constant(low), constant(high)
    shapes = {str(scope.shape(node.lexpr)), str(scope.shape(low)), str(scope.shape(high))}
    if len(shapes) == 1:
        truth = Truth.TRUE
    elif UNKNOWN in (value, bottom, top):
        return None
    else:
        truth = _of_value(compare("<=", bottom, value) is True and compare("<=", value, top) is True)
    return truth if node.kind == pg.AEXPR_BETWEEN else _NEGATED[truth]


def _null_test(node: Node, scope: Scope) -> Truth | None:
    is_not_null = node.nulltesttype == pg.IS_NOT_NULL
    argument = inner(node.arg)
    value = constant(argument)
    if value is not UNKNOWN:
        return _of_value((value is not None) == is_not_null)
    if argument.DESCRIPTOR.name == "CoalesceExpr" and any(constant(a) not in (UNKNOWN, None) for a in argument.args):
        return _of_value(is_not_null)
    if argument.DESCRIPTOR.name != "ColumnRef" or not scope.owns(argument, in_subquery=False):
        return None
    name = of_strings(argument.fields).rpartition(".")[2]
    if (told := scope.is_null_everywhere(name)) is not None:
        return _of_value(told is not is_not_null)
    not_null = scope.relation.column(name).not_null
    if not_null is None:
        # Without a catalog only the names that a key always has are taken for NOT NULL.
        not_null = name in ("id", "ctid", "pk") or name in scope.aliases
    return _of_value(is_not_null) if not_null or name in ("ctid", "tableoid", "xmin") else None


def _boolean_test(node: Node, scope: Scope) -> Truth | None:
    truth = fold(node.arg, scope)
    if truth in (Truth.MIXED, Truth.FLAT):
        return None
    expected = {pg.IS_TRUE: Truth.TRUE, pg.IS_FALSE: Truth.FALSE, pg.IS_UNKNOWN: Truth.NULL}
    opposite = {pg.IS_NOT_TRUE: Truth.TRUE, pg.IS_NOT_FALSE: Truth.FALSE, pg.IS_NOT_UNKNOWN: Truth.NULL}
    if node.booltesttype in expected:
        return _of_value(truth is expected[node.booltesttype])
    return _of_value(truth is not opposite[node.booltesttype])


def _case(node: Node, scope: Scope) -> Truth | None:
    results = [fold(item.case_when.result, scope) for item in node.args]
    results.append(fold(node.defresult, scope) if node.HasField("defresult") else Truth.NULL)
    if len(set(results)) == 1:
        return results[0]
    if not node.HasField("arg"):
        for item, result in zip(node.args, results, strict=False):
            condition = fold(item.case_when.expr, scope)
            if condition is Truth.TRUE:
                return result
            if condition not in (Truth.FALSE, Truth.NULL):
                return None
        return results[-1]
    return None


def _sub_link(node: Node, scope: Scope) -> Truth | None:
    return subqueries.sub_link(node, scope, fold)


_FOLDERS = {
    "BoolExpr": _bool_expr,
    "A_Expr": _a_expr,
    "NullTest": _null_test,
    "BooleanTest": _boolean_test,
    "CaseExpr": _case,
    "SubLink": _sub_link,
    "CurrentOfExpr": _current_of,
}
