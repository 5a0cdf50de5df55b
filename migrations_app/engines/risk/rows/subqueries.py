"""Predicates over lists and subqueries: IN, ANY, EXISTS."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TypeAlias

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk.names import Node, bare, inner, of_range, of_strings
from migrations_app.engines.risk.rows.constants import UNKNOWN, compare, constant
from migrations_app.engines.risk.rows.scope import Scope, Truth
from migrations_app.engines.risk.session import Relation, known_columns

Fold: TypeAlias = Callable[[Node, Scope], Truth]
_AGGREGATES = {"count", "sum", "min", "max", "avg", "bool_and", "bool_or", "array_agg", "string_agg"}


def in_list(node: Node, scope: Scope, fold: Fold) -> Truth | None:
    """`x IN (...)`, `x = ANY (ARRAY[...])`; None when it depends on the rows."""
    operator, right = of_strings(node.name), inner(node.rexpr)
    if right.DESCRIPTOR.name == "SubLink" and right.sub_link_type == pg.ARRAY_SUBLINK and operator == "=":
        return Truth.TRUE if _is_own_column(node.lexpr, inner(right.subselect), scope, fold) else None
    items: Sequence[Node] = {"List": lambda: right.items, "A_ArrayExpr": lambda: right.elements}.get(
        right.DESCRIPTOR.name, list
    )()
    if not items or node.kind == pg.AEXPR_OP_ALL:
        return None
    is_negated = operator == "<>"
    value = constant(node.lexpr)
    if value is UNKNOWN:
        found = any(scope.shape(item) == scope.shape(node.lexpr) for item in items)
        if not found:
            return None
    else:
        outcomes = [compare("=", value, constant(item)) for item in items]
        if any(outcome is UNKNOWN or outcome is None for outcome in outcomes):
            return None
        found = True in outcomes
    return Truth.TRUE if found != is_negated else Truth.FALSE


def sub_link(node: Node, scope: Scope, fold: Fold) -> Truth | None:
    """EXISTS (...) and x IN (SELECT ...); None when it depends on the rows."""
    query = inner(node.subselect)
    if node.sub_link_type == pg.EXISTS_SUBLINK:
        return _exists(query, scope, fold)
    operator = of_strings(node.oper_name) or "="
    if node.sub_link_type == pg.ANY_SUBLINK and operator == "=" and _is_captured(node.testexpr, query, scope):
        return Truth.FLAT if query.HasField("where_clause") else Truth.TRUE
    if node.sub_link_type == pg.ANY_SUBLINK and query.HasField("where_clause") and not query.group_clause:
        inside = with_sources(scope, query.from_clause, fold)
        if not _has_aggregate(query) and fold(query.where_clause, inside) in (Truth.FALSE, Truth.NULL):
            return Truth.FALSE
    if node.sub_link_type != pg.ANY_SUBLINK or operator != "=":
        return None
    is_found = _is_own_column(node.testexpr, query, scope, fold) or _finds_parent(node.testexpr, query, scope)
    return Truth.TRUE if is_found else None


def _finds_parent(tested: Node, query: Node, scope: Scope) -> bool:
    """`account_id IN (SELECT id FROM accounts)`, where a foreign key says that each is there."""
    if len(query.target_list) != 1 or query.op != pg.SETOP_NONE or _is_cut(query) or query.HasField("where_clause"):
        return False
    return joins_parent(tested, query.target_list[0].res_target.val, replace(scope, parents=_parents(query, scope)))


def _parents(query: Node, scope: Scope) -> dict[str, Relation]:
    return dict(_plain(query.from_clause, scope)) if len(query.from_clause) == 1 else {}


def _plain(sources: Iterable[Node], scope: Scope) -> Iterator[tuple[str, Relation]]:
    """The tables among the sources that are read as they are, without those that are the changed table again."""
    for source in map(inner, sources):
        if source.DESCRIPTOR.name == "RangeVar" and (source.schemaname or source.relname not in scope.ctes):
            relation = scope.session.relation(of_range(source))
            if relation is not scope.relation:
                yield source.alias.aliasname or source.relname, relation


def joins_parent(left: Node, right: Node, scope: Scope) -> bool:
    """Whether `left = right` holds for each row with some row beside it: a column without NULL and the key that its
    validated foreign key points to."""
    left, right = inner(left), inner(right)
    if not scope.parents or left.DESCRIPTOR.name != "ColumnRef" or right.DESCRIPTOR.name != "ColumnRef":
        return False
    for own, other in ((left, right), (right, left)):
        parent = _parent_of(other, scope)
        if parent is not None and _parent_of(own, scope) is None and scope.owns(own, in_subquery=False):
            column, key = _column(own) or "", _column(other) or ""
            if scope.relation.column(column).not_null or scope.is_null_everywhere(column) is False:
                return any(
                    each.kind == "foreign" and each.validated and each.references is not None
                    and each.columns == (column,) and each.referenced_columns == (key,)
                    and scope.session.relation(each.references) is parent
                    for each in scope.relation.known_constraints()
                )  # fmt: skip
    return False


def _parent_of(reference: Node, scope: Scope) -> Relation | None:
    """The table beside the changed one that the column is of."""
    qualifier, _, column = of_strings(reference.fields).rpartition(".")
    if qualifier:
        return scope.parents.get(bare(qualifier))
    having = [each for each in scope.parents.values() if column in known_columns(each)]
    return having[0] if len(having) == 1 else None


def _is_captured(tested: Node, query: Node, scope: Scope) -> bool:
    """`id IN (SELECT id FROM banned)` where banned has no id: then the inner one is that of the changed table too."""
    columns = [_column(tested), *(_column(item.res_target.val) for item in query.target_list)]
    source = inner(query.from_clause[0]) if len(query.from_clause) == 1 else None
    if len(columns) != 2 or columns[0] is None or columns[0] != columns[1] or source is None:
        return False
    if source.DESCRIPTOR.name != "RangeVar" or (not source.schemaname and source.relname in scope.ctes):
        return False
    if len(inner(query.target_list[0].res_target.val).fields) > 1:
        return False
    relation = scope.session.relation(of_range(source))
    known = relation.facts.columns if relation.facts else {}
    return bool(known) and columns[0] not in known and columns[0] not in relation.columns


def _exists(query: Node, scope: Scope, fold: Fold) -> Truth | None:
    if query.values_lists:
        return Truth.TRUE
    if constant(query.limit_count) == 0 if query.HasField("limit_count") else False:
        return Truth.FALSE
    if not query.group_clause and not query.HasField("having_clause") and _has_aggregate(query):
        return Truth.TRUE
    where = query.where_clause if query.HasField("where_clause") else None
    if not query.from_clause:
        return Truth.TRUE if where is None else fold(where, scope)
    inside = with_sources(scope, query.from_clause, fold) if len(query.from_clause) == 1 else scope
    if where is None:
        return Truth.TRUE if reads_all_of(query.from_clause[0], scope, fold) else Truth.FLAT
    folded = fold(where, inside)
    if folded in (Truth.FALSE, Truth.NULL):
        return Truth.FALSE
    if folded is Truth.TRUE and (reads_all_of(query.from_clause[0], scope, fold) or inside.parents):
        return Truth.TRUE
    return None


def _has_aggregate(query: Node) -> bool:
    targets = [inner(item.res_target.val) for item in query.target_list]
    return any(t.DESCRIPTOR.name == "FuncCall" and bare(of_strings(t.funcname)) in _AGGREGATES for t in targets)


def _is_own_column(tested: Node, query: Node, scope: Scope, fold: Fold) -> bool:
    """Whether `tested IN (query)` looks each row up in the whole table itself, so that all are found."""
    if query.op == pg.SETOP_UNION:
        return any(_is_own_column(tested, arm, scope, fold) for arm in (query.larg, query.rarg))
    is_distinct_on = any(item.WhichOneof("node") for item in query.distinct_clause)
    if is_distinct_on or not is_whole_table(query, scope, fold):
        return False
    tested = inner(tested)
    wanted = list(tested.args) if tested.DESCRIPTOR.name == "RowExpr" else [tested]
    columns = [_column(item) for item in wanted]
    selected = [_column(item.res_target.val) for item in query.target_list]
    return None not in columns and columns == selected


def is_beyond_all(operator: str, left: Node, right: Node, scope: Scope, fold: Fold) -> bool:
    """`id <= (SELECT max(id) FROM the_table)`: a bound that the table's own rows set."""
    link, column = inner(right), _column(left)
    bound = {"<=": "max", ">=": "min"}.get(operator)
    if bound is None or column is None or link.DESCRIPTOR.name != "SubLink":
        return False
    query = inner(link.subselect)
    targets = [inner(item.res_target.val) for item in query.target_list]
    if len(targets) != 1 or targets[0].DESCRIPTOR.name != "FuncCall" or not is_whole_table(query, scope, fold):
        return False
    call = targets[0]
    return of_strings(call.funcname) == bound and [_column(argument) for argument in call.args] == [column]


def _column(node: Node) -> str | None:
    node = inner(node)
    return of_strings(node.fields).rpartition(".")[2] if node.DESCRIPTOR.name == "ColumnRef" else None


def with_sources(scope: Scope, sources: Iterable[Node], fold: Fold) -> Scope:
    """The scope with what stands in FROM or USING beside the table."""
    sources = list(sources)
    twins = frozenset(alias for alias, node in _flat(sources) if reads_all_of(node, scope, fold))
    plain = dict(_plain(sources, scope))
    # A join beside it may leave out rows.
    parents = plain if len(plain) == len(sources) else {}
    return replace(scope, twins=scope.twins | twins, parents=parents)


def with_joined_twins(scope: Scope, where: Node, fold: Fold) -> Scope:
    """The scope once it is clear whether a twin is joined by the same column somewhere in the predicate."""
    return replace(scope, are_twins_joined=bool(scope.twins or scope.parents) and _joins(where, scope, fold))


def _joins(node: Node, scope: Scope, fold: Fold) -> bool:
    node = inner(node)
    if node.DESCRIPTOR.name == "A_Expr":
        return fold(node, scope) is Truth.TRUE
    if node.DESCRIPTOR.name == "BoolExpr" and node.boolop == pg.AND_EXPR:
        return any(_joins(argument, scope, fold) for argument in node.args)
    return False


def reads_all_of(source: Node, scope: Scope, fold: Fold) -> bool:
    """Whether a FROM item is the changed table itself, every row of it."""
    source = inner(source)
    if source.DESCRIPTOR.name == "RangeVar":
        if not source.schemaname and source.relname in scope.ctes:
            return is_whole_table(scope.ctes[source.relname], scope, fold)
        return scope.session.relation(of_range(source)) is scope.relation
    return source.DESCRIPTOR.name == "RangeSubselect" and is_whole_table(inner(source.subquery), scope, fold)


def is_whole_table(query: Node, scope: Scope, fold: Fold) -> bool:
    """Whether a query yields every row of the changed table: one source, nothing that filters, groups or limits."""
    if query.DESCRIPTOR.name != "SelectStmt" or len(query.from_clause) != 1:
        return False
    if _is_cut(query) or not reads_all_of(query.from_clause[0], scope, fold):
        return False
    if not query.HasField("where_clause"):
        return True
    own = replace(scope, aliases=frozenset(alias for alias, _ in _flat(query.from_clause)))
    return fold(query.where_clause, own) is Truth.TRUE


def _is_cut(query: Node) -> bool:
    """Whether not every row of its source comes out."""
    limits = ("limit_count", "limit_offset", "having_clause")
    return any(query.HasField(field) for field in limits) or len(query.group_clause) > 0


def _flat(sources: Iterable[Node]) -> Iterator[tuple[str, Node]]:
    """Each source with the name that it goes by, joins taken apart."""
    for source in sources:
        source = inner(source)
        if source.DESCRIPTOR.name == "JoinExpr":
            yield from _flat([source.larg, source.rarg])
        elif source.DESCRIPTOR.name in ("RangeVar", "RangeSubselect"):
            fallback = source.relname if source.DESCRIPTOR.name == "RangeVar" else ""
            yield source.alias.aliasname or fallback, source
