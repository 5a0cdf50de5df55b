"""The locks of SELECT, INSERT, UPDATE, DELETE, MERGE, COPY and EXPLAIN, and of the foreign keys that they check."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import names
from migrations_app.engines.risk.locking import query_tables
from migrations_app.engines.risk.locking.lock_family import foreign_keys, has_storage, pointing_keys, spread
from migrations_app.engines.risk.locking.lock_modes import AS, RS, RX, Touch
from migrations_app.engines.risk.locking.query_tables import CteNames, Found, Read
from migrations_app.engines.risk.names import Node
from migrations_app.engines.risk.session import Relation, Session
from migrations_app.engines.risk.statements import Statement

_DEPTH = 32
"""Views of views and cascades of cascades are followed this far."""
_MERGED = {pg.CMD_INSERT: "insert", pg.CMD_UPDATE: "update", pg.CMD_DELETE: "delete"}


def select(statement: Statement, session: Session) -> Iterator[Touch]:
    """Everything that the query reads; SELECT INTO makes a table besides."""
    found: Found = []
    query_tables.of_select(statement.node, _ctes(statement), found)
    if statement.node.HasField("into_clause") and not statement.inside:
        yield Touch(names.of_range(statement.node.into_clause.rel), None)
    yield from _reads(found, session)


def _ctes(statement: Statement) -> CteNames:
    # Those of the statement's own WITH clause are added when it is walked.
    return frozenset(statement.ctes) if statement.ctes and not statement.node.HasField("with_clause") else frozenset()


def _reads(found: Found, session: Session) -> Iterator[Touch]:
    for read in found:
        relation = session.relation(read.name)
        if relation.facts is None:
            if not relation.is_view:
                yield Touch(read.name, read.mode, read.is_whole)
            else:
                yield from _view(relation, read.name, read.mode, session, is_whole=read.is_whole)
        elif relation.facts.kind == "view":
            yield from _view(relation, read.name, read.mode, session, is_whole=read.is_whole)
        else:
            yield from spread(read.name, read.mode, session, scan=_is_scanned(read, relation), recurse=read.inherits)


def _is_scanned(read: Read, relation: Relation) -> bool:
    return read.is_whole or (read.where is not None and not _is_served(relation, read.where))


def _is_served(relation: Relation, where: Node) -> bool:
    """Whether an index begins with a column of the predicate, so that not all has to be read. A guess at a plan."""
    facts = relation.facts
    if facts is None or facts.kind in ("view", "foreign"):
        return True
    leading = {index.columns[0] for index in facts.indexes if index.columns and index.valid}
    return "" in leading or bool(leading & set(_columns(where)))


def _columns(node: Node) -> Iterator[str]:
    """The columns of a predicate, without those in subqueries."""
    kind = node.WhichOneof("node")
    if kind == "column_ref":
        last = node.column_ref.fields[-1]
        yield last.string.sval if last.WhichOneof("node") == "string" else ""
    elif kind == "a_expr":
        yield from _columns(node.a_expr.lexpr)
        yield from _columns(node.a_expr.rexpr)
    elif kind in ("bool_expr", "row_expr", "func_call", "coalesce_expr"):
        for item in getattr(node, kind).args:
            yield from _columns(item)
    elif kind in ("type_cast", "null_test", "boolean_test"):
        yield from _columns(getattr(node, kind).arg)
    elif kind == "sub_link" and node.sub_link.HasField("testexpr"):
        yield from _columns(node.sub_link.testexpr)


def _view(
    relation: Relation, name: str, mode: str, session: Session, *, is_whole: bool, depth: int = 0
) -> Iterator[Touch]:
    """A view is locked as what it reads is. Whether a predicate outside spares rows inside is not followed."""
    yield Touch(name, mode)
    below = relation.facts.reads if relation.facts is not None else relation.reads
    for inner_name in below if depth < _DEPTH else ():
        inner = session.relation(inner_name)
        if (inner.facts is not None and inner.facts.kind == "view") or (inner.facts is None and inner.is_view):
            yield from _view(inner, inner_name, mode, session, is_whole=is_whole, depth=depth + 1)
        else:
            yield from spread(inner_name, mode, session, scan=is_whole)


def write(statement: Statement, session: Session) -> Iterator[Touch]:
    """INSERT, UPDATE, DELETE and MERGE: the table, what the statement reads, and what foreign keys reach."""
    node, kind = statement.node, statement.node_name
    name = names.of_range(node.relation)
    relation = session.relation(name)
    scan = kind in ("update_stmt", "delete_stmt") and (
        not node.HasField("where_clause") or not _is_served(relation, node.where_clause)
    )
    if relation.is_view or relation.facts is not None:
        yield from _target(name, relation, session, scan=scan, recurse=node.relation.inh and kind != "insert_stmt")
        for action in _actions(node, kind):
            yield from _checked(relation, action, _written(node, kind), session)
    else:
        yield Touch(name, RX, scan)
    found: Found = []
    _READS[kind](node, _ctes(statement), found)
    if found:
        yield from _reads(found, session)


def _target(name: str, relation: Relation, session: Session, *, scan: bool, recurse: bool) -> Iterator[Touch]:
    """The table that is written; through a view, the view and the table behind it; rows of partitions are routed."""
    facts = relation.facts
    below = facts.reads if facts is not None and facts.kind == "view" else relation.reads if facts is None else ()
    if not below:
        is_routed = facts is not None and facts.kind == "partitioned"
        yield from spread(name, RX, session, scan=scan, recurse=recurse or is_routed)
        return
    yield Touch(name, RX)
    for inner_name in below:
        inner = session.relation(inner_name)
        if len(below) == 1:
            yield from _target(inner_name, inner, session, scan=scan, recurse=recurse)
        else:
            yield from spread(inner_name, AS, session, scan=scan)


def _actions(node: Node, kind: str) -> Collection[str]:
    if kind == "merge_stmt":
        return {_MERGED[c.merge_when_clause.command_type] for c in node.merge_when_clauses
                if c.merge_when_clause.command_type in _MERGED}  # fmt: skip
    if kind == "insert_stmt" and node.on_conflict_clause.action == pg.ONCONFLICT_UPDATE:
        return ("insert", "update")
    return (kind.removesuffix("_stmt"),)


def _written(node: Node, kind: str) -> Collection[str] | None:
    """The columns that get a value; None is all of them."""
    if kind == "insert_stmt":
        if not node.cols:
            return None if node.HasField("select_stmt") else ()
        conflict = node.on_conflict_clause.target_list if node.HasField("on_conflict_clause") else ()
        return {item.res_target.name for items in (node.cols, conflict) for item in items}
    if kind == "update_stmt":
        return {item.res_target.name for item in node.target_list}
    if kind == "merge_stmt":
        clauses = [item.merge_when_clause for item in node.merge_when_clauses]
        if any(clause.command_type == pg.CMD_INSERT and not clause.target_list for clause in clauses):
            return None
        return {item.res_target.name for clause in clauses for item in clause.target_list}
    return ()


def _checked(
    relation: Relation, action: str, written: Collection[str] | None, session: Session, depth: int = 0
) -> Iterator[Touch]:
    """The tables that the triggers of foreign keys look at or change, when the statement meets a row at all."""
    if action != "delete":
        for key in foreign_keys(relation):
            if key.references is not None and (written is None or any(column in written for column in key.columns)):
                yield from spread(key.references, RS, session)
        if action == "insert":
            return
    for child, key in pointing_keys(relation, session):
        if action == "update" and not (written is None or any(c in written for c in key.referenced_columns)):
            continue
        does = key.on_delete if action == "delete" else _on_update(key.definition)
        other = session.relation(child)
        # Without an index on the referencing columns each row costs a scan of the child.
        scan = other.facts is not None and not _is_indexed(other, key.columns)
        yield from spread(child, RX if does in ("c", "n", "d") else RS, session, scan=scan)
        if does == "c" and depth < _DEPTH:
            yield from _checked(other, action, key.columns, session, depth + 1)


def _on_update(definition: str) -> str:
    _, _, told = definition.partition(" ON UPDATE ")
    return {"CASCADE": "c", "SET NUL": "n", "SET DEF": "d"}.get(told[:7], "a")


def _is_indexed(relation: Relation, columns: tuple[str, ...]) -> bool:
    assert relation.facts is not None
    return any(set(index.columns[: len(columns)]) == set(columns) for index in relation.facts.indexes)


def _insert_reads(node: Node, ctes: CteNames, found: Found) -> None:
    if node.HasField("with_clause"):
        ctes = query_tables.of_with(node.with_clause, ctes, found)
    if node.HasField("select_stmt"):
        query_tables.of_select(node.select_stmt.select_stmt, ctes, found)
    if node.HasField("on_conflict_clause"):
        clause = node.on_conflict_clause
        query_tables.of_expressions((item.res_target.val for item in clause.target_list), ctes, found)
        query_tables.of_expressions([clause.where_clause], ctes, found)
    _returned(node, ctes, found)


def _change_reads(node: Node, ctes: CteNames, found: Found) -> None:
    """UPDATE and DELETE."""
    if node.HasField("with_clause"):
        ctes = query_tables.of_with(node.with_clause, ctes, found)
    is_update = node.DESCRIPTOR.name == "UpdateStmt"
    where = node.where_clause if node.HasField("where_clause") else None
    query_tables.of_sources(node.from_clause if is_update else node.using_clause, where, ctes, found)
    if is_update:
        query_tables.of_expressions((item.res_target.val for item in node.target_list), ctes, found)
    _returned(node, ctes, found)


def _merge_reads(node: Node, ctes: CteNames, found: Found) -> None:
    if node.HasField("with_clause"):
        ctes = query_tables.of_with(node.with_clause, ctes, found)
    query_tables.of_sources([node.source_relation], node.join_condition, ctes, found)
    for item in node.merge_when_clauses:
        clause = item.merge_when_clause
        values = [target.res_target.val for target in clause.target_list]
        query_tables.of_expressions([clause.condition, *values, *clause.values], ctes, found)
    _returned(node, ctes, found)


def _returned(node: Node, ctes: CteNames, found: Found) -> None:
    # PostgreSQL 18 wraps RETURNING in a clause of its own.
    if "returning_clause" in node.DESCRIPTOR.fields_by_name:
        if node.HasField("returning_clause"):
            query_tables.of_expressions((item.res_target.val for item in node.returning_clause.exprs), ctes, found)
    elif node.returning_list:
        query_tables.of_expressions((item.res_target.val for item in node.returning_list), ctes, found)


_READS = {
    "insert_stmt": _insert_reads,
    "update_stmt": _change_reads,
    "delete_stmt": _change_reads,
    "merge_stmt": _merge_reads,
}


def copy(statement: Statement, session: Session) -> Iterator[Touch]:
    """COPY of a table; that of a query is a statement of its own."""
    node = statement.node
    if not node.HasField("relation"):
        return
    name = names.of_range(node.relation)
    if not node.is_from:
        yield Touch(name, AS, scan=has_storage(session.relation(name)))
        return
    relation = session.relation(name)
    yield from _target(name, relation, session, scan=False, recurse=False)
    columns = {item.string.sval for item in node.attlist} or None
    yield from _checked(relation, "insert", columns, session)


def explain(statement: Statement, session: Session) -> Iterator[Touch]:
    """EXPLAIN and PREPARE lock what they plan. What then runs, by ANALYZE or EXECUTE, is a statement of its own."""
    query = statement.node.query
    kind = query.WhichOneof("node")
    node = getattr(query, kind)
    if kind == "create_table_as_stmt":
        kind, node = "select_stmt", node.query.select_stmt
    yield from planned(node, kind, session)


def planned(node: Node, kind: str, session: Session) -> Iterator[Touch]:
    """The locks of a query that is not run: nothing is scanned and no foreign key is checked."""
    yield from (Touch(touch.name, touch.mode) for touch in _as_if_run(node, kind, session))


def _as_if_run(node: Node, kind: str, session: Session) -> Iterator[Touch]:
    found: Found = []
    if kind == "select_stmt":
        query_tables.of_select(node, frozenset(), found)
    elif kind in _READS:
        name = names.of_range(node.relation)
        relation = session.relation(name)
        is_insert = kind == "insert_stmt"
        yield from _target(name, relation, session, scan=False, recurse=node.relation.inh and not is_insert)
        _READS[kind](node, frozenset(), found)
    yield from _reads(found, session)
