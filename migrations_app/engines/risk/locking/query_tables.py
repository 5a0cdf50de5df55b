"""The tables that a query reads, and how: a walk of the parse tree limited to where tables can stand."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import names
from migrations_app.engines.risk.locking.lock_modes import AS, RS
from migrations_app.engines.risk.names import Node


class Read(NamedTuple):
    """One table in a query. `is_whole`: nothing in the query spares any row of it."""

    name: str
    mode: str
    is_whole: bool
    inherits: bool
    """False after ONLY."""
    where: Node | None
    """The WHERE clause of the query that it stands in; None when there is none, or it does not matter."""


Found = list[Read]
CteNames = frozenset[str]
_NO_NAMES: CteNames = frozenset()


def of_select(node: Node, ctes: CteNames, found: Found, *, mode: str = AS, stops_early: bool = False) -> None:
    """What a SelectStmt reads. `mode` is that of a query around it, `stops_early` that only some rows are wanted."""
    if node.HasField("with_clause"):
        ctes = of_with(node.with_clause, ctes, found)
    if node.op > pg.SETOP_NONE:
        of_select(node.larg, ctes, found, mode=mode)
        of_select(node.rarg, ctes, found, mode=mode)
    for clause in node.locking_clause:
        mode = AS if clause.locking_clause.locked_rels else RS
    only_locked = {
        item.range_var.relname for clause in node.locking_clause for item in clause.locking_clause.locked_rels
    }
    where = node.where_clause if node.HasField("where_clause") else None
    is_whole = where is None and not stops_early and not _stops_early(node)
    for source in node.from_clause:
        _source(source, _From(ctes, found, mode, only_locked, is_whole, where))
    for target in node.target_list:
        _expression(target.res_target.val, ctes, found)
    if where is not None:
        _expression(where, ctes, found)
    for field in ("having_clause", "limit_count", "limit_offset"):
        if node.HasField(field):
            _expression(getattr(node, field), ctes, found)
    for items in (node.sort_clause, node.group_clause, node.distinct_clause, node.window_clause, node.values_lists):
        for item in items:
            _expression(item, ctes, found)


def _stops_early(node: Node) -> bool:
    """LIMIT without a sort, and the smallest or largest value of a column, which an index gives."""
    if node.HasField("limit_count") and not node.sort_clause and not node.group_clause and not node.distinct_clause:
        return True
    if len(node.target_list) == 1 and not node.group_clause:
        value = node.target_list[0].res_target.val
        if value.WhichOneof("node") == "coalesce_expr":
            value = value.coalesce_expr.args[0]
        if value.WhichOneof("node") == "func_call":
            return names.bare(names.of_strings(value.func_call.funcname)) in ("max", "min")
    return False


class _From(NamedTuple):
    """The FROM clause of one query."""

    ctes: CteNames
    found: Found
    mode: str
    only_locked: set[str]
    is_whole: bool
    where: Node | None


def _source(item: Node, at: _From) -> None:
    kind = item.WhichOneof("node")
    if kind == "range_var":
        of_range(item.range_var, at)
    elif kind == "join_expr":
        join = item.join_expr
        _source(join.larg, at)
        _source(join.rarg, at)
        if join.HasField("quals"):
            _expression(join.quals, at.ctes, at.found)
    elif kind == "range_subselect":
        query = item.range_subselect.subquery.select_stmt
        alias = item.range_subselect.alias.aliasname
        mode = RS if alias in at.only_locked else at.mode
        of_select(query, at.ctes, at.found, mode=mode, stops_early=not at.is_whole)
    elif kind == "range_table_sample":
        _source(item.range_table_sample.relation, at._replace(is_whole=False, where=None))
    elif kind is not None:
        _expression(item, at.ctes, at.found)


def of_range(relation: Node, at: _From) -> None:
    if relation.schemaname or relation.relname not in at.ctes:
        alias = relation.alias.aliasname if relation.HasField("alias") else relation.relname
        mode = RS if alias in at.only_locked else at.mode
        at.found.append(Read(names.of_range(relation), mode, at.is_whole, relation.inh, at.where))


def of_with(clause: Node, ctes: CteNames, found: Found) -> CteNames:
    """The queries of a WITH clause, and the names that it adds. What changes rows stands as a statement of its own."""
    for item in clause.ctes:
        cte = item.common_table_expr
        query = cte.ctequery
        visible = ctes | {cte.ctename} if clause.recursive else ctes
        if query.WhichOneof("node") == "select_stmt":
            of_select(query.select_stmt, visible, found)
        ctes = ctes | {cte.ctename}
    return ctes


def of_sources(items: Iterable[Node], where: Node | None, ctes: CteNames, found: Found) -> None:
    """FROM of an UPDATE, USING of a DELETE or MERGE."""
    for item in items:
        _source(item, _From(ctes, found, AS, set(), False, None))
    if where is not None:
        _expression(where, ctes, found)


def of_expressions(items: Iterable[Node], ctes: CteNames, found: Found) -> None:
    """The subqueries in expressions."""
    for item in items:
        _expression(item, ctes, found)


def _expression(node: Node, ctes: CteNames, found: Found) -> None:
    kind = node.WhichOneof("node")
    walk = _EXPRESSIONS.get(kind, _anything)
    if walk is not None and kind is not None:
        walk(getattr(node, kind), ctes, found)


def _operator(node: Node, ctes: CteNames, found: Found) -> None:
    if node.HasField("lexpr"):
        _expression(node.lexpr, ctes, found)
    if node.HasField("rexpr"):
        _expression(node.rexpr, ctes, found)


def _arguments(node: Node, ctes: CteNames, found: Found) -> None:
    for item in node.args:
        _expression(item, ctes, found)


def _argument(node: Node, ctes: CteNames, found: Found) -> None:
    _expression(node.arg, ctes, found)


def _items(node: Node, ctes: CteNames, found: Found) -> None:
    for item in node.items:
        _expression(item, ctes, found)


def _sub_link(node: Node, ctes: CteNames, found: Found) -> None:
    if node.HasField("testexpr"):
        _expression(node.testexpr, ctes, found)
    of_select(node.subselect.select_stmt, ctes, found, stops_early=node.sub_link_type == pg.EXISTS_SUBLINK)


def _anything(node: Node, ctes: CteNames, found: Found) -> None:
    """The many rare expressions, by their message fields."""
    for field, value in node.ListFields():
        if field.type != field.TYPE_MESSAGE:
            continue
        for child in [value] if hasattr(value, "DESCRIPTOR") else value:
            name = child.DESCRIPTOR.name
            if name == "Node":
                _expression(child, ctes, found)
            elif name == "SelectStmt":
                of_select(child, ctes, found)
            else:
                _anything(child, ctes, found)


_EXPRESSIONS: dict[str | None, Callable[[Node, CteNames, Found], None] | None] = {
    None: None,
    "column_ref": None,
    "a_const": None,
    "param_ref": None,
    "a_star": None,
    "set_to_default": None,
    "string": None,
    "integer": None,
    "sqlvalue_function": None,
    "a_expr": _operator,
    "bool_expr": _arguments,
    "coalesce_expr": _arguments,
    "min_max_expr": _arguments,
    "row_expr": _arguments,
    "type_cast": _argument,
    "null_test": _argument,
    "boolean_test": _argument,
    "list": _items,
    "sub_link": _sub_link,
}
