"""DELETE, UPDATE and MERGE that reach every row of a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import names
from migrations_app.engines.risk.names import Node, inner
from migrations_app.engines.risk.rows.predicates import selects_all
from migrations_app.engines.risk.rows.scope import Scope
from migrations_app.engines.risk.session import Relation, Session
from migrations_app.engines.risk.statements import Statement, parse
from migrations_app.errors import TidegateError

_VIEW_DEPTH = 8


@dataclass(frozen=True)
class Sweep:
    """One change of every row. `targets` are the columns that an UPDATE sets, as parse tree nodes."""

    action: Literal["delete", "update"]
    relation: Relation
    name: str
    alias: str
    has_where: bool
    targets: tuple[Node, ...] = ()
    view: str | None = None

    @property
    def how(self) -> str:
        """In words, why this is every row."""
        through = f" through the view {self.view}" if self.view else ""
        return (", because its condition does not select any" if self.has_where else "") + through


def of_statement(statement: Statement, session: Session) -> Sequence[Sweep]:
    """What the statement does to every row of a table that may hold rows from before this input."""
    # Several rules ask in turn about the same statement.
    if session.swept is None or session.swept[0] is not statement:
        session.swept = (statement, tuple(_found(statement, session)))
    found: Sequence[Sweep] = session.swept[1]
    return found


def _found(statement: Statement, session: Session) -> Iterator[Sweep]:
    node = statement.node
    if (written := target(statement, session)) is None:
        return
    relation, view = written.relation, written.view
    scope = scope_of(statement, session)
    if statement.node_name == "merge_stmt":
        yield from _of_merge(node, scope, relation, view)
        return
    beside = node.using_clause if statement.node_name == "delete_stmt" else node.from_clause
    where = node.where_clause if node.HasField("where_clause") else None
    if selects_all(where, scope, beside):
        is_delete = statement.node_name == "delete_stmt"
        targets = () if is_delete else tuple(item.res_target for item in node.target_list)
        yield Sweep(
            "delete" if is_delete else "update",
            relation,
            relation.name,
            _alias(node),
            where is not None,
            targets,
            view,
        )


@dataclass(frozen=True)
class Target:
    """The table that a write reaches in the end, and the view that it goes through."""

    relation: Relation
    view: str | None


def target(statement: Statement, session: Session) -> Target | None:
    """None when the write reaches no row from before this input, or a view chooses which."""
    node = statement.node
    name = names.of_range(node.relation)
    if not node.relation.schemaname and name in statement.ctes:
        return None
    reached = _through_views(name, session)
    if reached is None or reached.relation.holds_nothing_old:
        return None
    facts = reached.relation.facts
    # A partitioned table holds no row itself.
    is_hollow = facts is not None and facts.kind == "partitioned" and not node.relation.inh
    return None if is_hollow else reached


def scope_of(statement: Statement, session: Session) -> Scope:
    """The table as the statement names it. A view's columns are not the table's, but a predicate on them is one."""
    node = statement.node
    return Scope(session.relation(names.of_range(node.relation)), frozenset({_alias(node)}), session, statement.ctes)


def _alias(node: Node) -> str:
    return str(node.relation.alias.aliasname or node.relation.relname)


def overwrites(assigned: Node, relation: Relation, alias: str) -> bool:
    """Whether values from before this input are replaced: not in a new column, not by COALESCE(itself, ...)."""
    column = relation.column(assigned.name)
    if column.has_values is False or (column.origin is None and not relation.took_in):
        return False
    value = inner(assigned.val)
    if value.DESCRIPTOR.name == "CoalesceExpr":
        value = inner(value.args[0])
    own = (assigned.name, f"{alias}.{assigned.name}")
    return not (value.DESCRIPTOR.name == "ColumnRef" and names.of_strings(value.fields) in own)


def _through_views(name: str, session: Session) -> Target | None:
    """The table that a write reaches, and the view that it goes through; None when a view on the way filters."""
    relation, view = session.relation(name), None
    for _ in range(_VIEW_DEPTH):
        if not relation.is_view:
            return Target(relation, view)
        view = view or name
        if relation.is_filtered:
            return None
        below = relation.reads[0] if relation.reads else _read_by(relation)
        if below is None:
            return None
        relation = session.relation(below)
    return None


def _read_by(view: Relation) -> str | None:
    """The one relation that a view of the catalog shows in full; None when it filters, joins or computes rows."""
    try:
        parsed = parse(view.facts.view_definition) if view.facts else []
    except TidegateError:
        return None
    query = parsed[0].node if len(parsed) == 1 else None
    if query is None or query.DESCRIPTOR.name != "SelectStmt" or len(query.from_clause) != 1:
        return None
    chooses = any(query.HasField(field) for field in ("where_clause", "limit_count", "limit_offset", "having_clause"))
    if chooses or query.group_clause or query.distinct_clause or names.node_name(query.from_clause[0]) != "range_var":
        return None
    # pg_get_viewdef leaves out the schemas of the search path; what the view reads is known by full name.
    told = view.facts.reads if view.facts else ()
    return told[0] if len(told) == 1 else names.of_range(query.from_clause[0].range_var)


def _of_merge(node: Node, scope: Scope, relation: Relation, view: str | None) -> Iterator[Sweep]:
    beside = [node.source_relation]
    alias = _alias(node)
    joins_all = selects_all(node.join_condition, scope, beside)
    for item in node.merge_when_clauses:
        clause = item.merge_when_clause
        if clause.match_kind != pg.MERGE_WHEN_MATCHED or not joins_all:
            continue
        if clause.HasField("condition") and not selects_all(
            clause.condition, scope, beside, joined_by=node.join_condition
        ):
            continue
        if clause.command_type == pg.CMD_DELETE:
            yield Sweep("delete", relation, relation.name, alias, True, (), view)
        elif clause.command_type == pg.CMD_UPDATE:
            targets = tuple(target.res_target for target in clause.target_list)
            yield Sweep("update", relation, relation.name, alias, True, targets, view)
