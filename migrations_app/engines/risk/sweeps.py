"""DELETE, UPDATE and MERGE that reach every row of a table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import names
from migrations_app.engines.risk.names import Node
from migrations_app.engines.risk.predicates import selects_all
from migrations_app.engines.risk.scope import Scope
from migrations_app.engines.risk.session import Relation, Session
from migrations_app.engines.risk.statements import Statement

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


def of_statement(statement: Statement, session: Session) -> Iterator[Sweep]:
    """What the statement does to every row of a table that may hold rows from before this input."""
    node = statement.node
    name = names.of_range(node.relation)
    if not node.relation.schemaname and name in statement.ctes:
        return
    resolved = _through_views(name, session)
    if resolved is None or resolved[0].holds_nothing_old:
        return
    relation, view = resolved
    alias = node.relation.alias.aliasname or node.relation.relname
    # The view's own columns are not those of the table, but a predicate on them is one on the table.
    scope = Scope(session.relation(name), frozenset({alias}), session, statement.ctes)
    if statement.node_name == "merge_stmt":
        yield from _of_merge(node, scope, relation, view)
        return
    beside = node.using_clause if statement.node_name == "delete_stmt" else node.from_clause
    where = node.where_clause if node.HasField("where_clause") else None
    if selects_all(where, scope, beside):
        is_delete = statement.node_name == "delete_stmt"
        targets = () if is_delete else tuple(item.res_target for item in node.target_list)
        yield Sweep(
            "delete" if is_delete else "update", relation, relation.name, alias, where is not None, targets, view
        )


def _through_views(name: str, session: Session) -> tuple[Relation, str | None] | None:
    """The table that a write reaches, and the view that it goes through; None when a view of the input filters."""
    relation, view = session.relation(name), None
    for _ in range(_VIEW_DEPTH):
        if not relation.is_view or not (relation.is_made or relation.reads):
            break
        view = name
        if relation.is_filtered or not relation.reads:
            return None
        relation = session.relation(relation.reads[0])
    return relation, view if view or not relation.is_view else name


def _of_merge(node: Node, scope: Scope, relation: Relation, view: str | None) -> Iterator[Sweep]:
    beside = [node.source_relation]
    alias = node.relation.alias.aliasname or node.relation.relname
    joins_all = selects_all(node.join_condition, scope, beside)
    for item in node.merge_when_clauses:
        clause = item.merge_when_clause
        if clause.match_kind != pg.MERGE_WHEN_MATCHED or not joins_all:
            continue
        if clause.HasField("condition") and not selects_all(clause.condition, scope, beside):
            continue
        if clause.command_type == pg.CMD_DELETE:
            yield Sweep("delete", relation, relation.name, alias, True, (), view)
        elif clause.command_type == pg.CMD_UPDATE:
            targets = tuple(target.res_target for target in clause.target_list)
            yield Sweep("update", relation, relation.name, alias, True, targets, view)
