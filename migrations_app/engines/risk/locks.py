"""The strongest lock that a statement takes on tables which others can use, and whether it scans or rewrites one.

Facts measured on PostgreSQL 15; tests/rules compares them with pg_locks and relfilenodes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import alter_locks, names
from migrations_app.engines.risk.alter_locks import Subcommand
from migrations_app.engines.risk.lock_modes import AS, AX, EX, MODES, RS, RX, SH, SRX, SUE, Touch, stronger
from migrations_app.engines.risk.names import Node, inner
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement

_ALTERED = {pg.OBJECT_TABLE, pg.OBJECT_VIEW, pg.OBJECT_MATVIEW, pg.OBJECT_FOREIGN_TABLE}


@dataclass(frozen=True, slots=True)
class Footprint:
    """What a statement does to tables that existed before the input. `lock` is None when it touches none."""

    tables: tuple[str, ...] = ()
    lock: str | None = None
    scan: bool = False
    rewrite: bool = False
    touches: tuple[Touch, ...] = ()
    """The locks on existing tables, one a table: its strongest mode, and whether the table is scanned or rewritten."""


def footprint(statement: Statement, session: Session) -> Footprint:
    """The strongest lock, with all tables that the statement names."""
    touching = _TOUCHES.get(statement.node_name)
    if touching is None:
        return Footprint()
    tables: dict[str, None] = {}
    held: dict[str, Touch] = {}
    for touch in touching(statement, session):
        if names.is_catalog(touch.name):
            continue
        tables[touch.name] = None
        if touch.mode is not None and session.relation(touch.name).is_existing:
            key = session.qualified(touch.name)
            held[key] = touch.with_all_of(held.get(key))
    touches = tuple(held.values())
    lock = None
    for touch in touches:
        lock = stronger(lock, touch.mode)
    rewrite = any(touch.rewrite for touch in touches)
    return Footprint(tuple(tables), lock, rewrite or any(touch.scan for touch in touches), rewrite, touches)


def _drop(statement: Statement, session: Session) -> Iterator[Touch]:
    node = statement.node
    if node.behavior == pg.DROP_CASCADE and node.remove_type in (pg.OBJECT_SCHEMA, pg.OBJECT_TYPE, pg.OBJECT_DOMAIN):
        yield from _drop_unnamed(node, session)
        return
    for item in node.objects:
        name = names.of_object(item)
        if node.remove_type in (pg.OBJECT_TABLE, pg.OBJECT_VIEW, pg.OBJECT_MATVIEW, pg.OBJECT_FOREIGN_TABLE):
            yield Touch(name, AX)
            facts = session.relation(name).facts
            if node.remove_type == pg.OBJECT_TABLE and facts:
                yield from (Touch(key.references, AX) for key in facts.constraints if key.references)
                yield from (Touch(child, AX) for child in facts.referenced_by if node.behavior == pg.DROP_CASCADE)
        elif node.remove_type == pg.OBJECT_INDEX:
            owner = session.index_table(name)
            yield Touch(owner.name if owner else f"the table of {name}", SUE if node.concurrent else AX)
        elif node.remove_type in (pg.OBJECT_TRIGGER, pg.OBJECT_POLICY, pg.OBJECT_RULE):
            yield Touch(name.rpartition(".")[0], AX)


def _drop_unnamed(node: Node, session: Session) -> Iterator[Touch]:
    """DROP SCHEMA or TYPE ... CASCADE: the tables inside the schema, or with a column of the type."""
    for item in node.objects:
        name = names.of_object(item)
        is_schema = node.remove_type == pg.OBJECT_SCHEMA
        if session.made_here("schema" if is_schema else "type", name):
            continue
        known = session.tables_in(name) if is_schema else session.tables_with_type(name)
        if not known and not session.knows_all:
            # There may be some that nobody asked about: these words stand for them.
            known = [f"the tables in {name}" if is_schema else f"the tables with a column of type {name}"]
        yield from (Touch(table, AX) for table in known)


def _truncate(statement: Statement, session: Session) -> Iterator[Touch]:
    for item in statement.node.relations:
        name = names.of_range(item.range_var)
        yield Touch(name, AX)
        facts = session.relation(name).facts
        if facts and statement.node.behavior == pg.DROP_CASCADE:
            yield from (Touch(child, AX) for child in facts.referenced_by)


def _write(statement: Statement, session: Session) -> Iterator[Touch]:
    # An INSERT of its own values reads no table; everything else has to find its rows.
    scan = statement.node_name != "insert_stmt" and not _has_where(statement.node)
    yield Touch(names.of_range(statement.node.relation), RX, scan=scan)
    yield from _reads(statement, session)


def _has_where(node: Node) -> bool:
    return bool(node.DESCRIPTOR.name == "MergeStmt" or node.HasField("where_clause"))


def _reads(statement: Statement, _session: Session) -> Iterator[Touch]:
    mode = RS if statement.node_name == "select_stmt" and statement.node.locking_clause else AS
    for relation in _ranges(statement.node):
        name = names.of_range(relation)
        if relation.schemaname or name not in statement.ctes:
            yield Touch(name, mode)


def _ranges(node: Node) -> Iterator[Node]:
    node = inner(node)
    if node.DESCRIPTOR.name == "RangeVar":
        yield node
    elif node.DESCRIPTOR.name not in ("IntoClause", "A_Const", "ColumnRef"):
        for field, value in node.ListFields():
            if field.type == field.TYPE_MESSAGE and field.name != "relation":
                for child in [value] if hasattr(value, "DESCRIPTOR") else value:
                    yield from _ranges(child)


def _index(statement: Statement, _session: Session) -> Iterator[Touch]:
    yield Touch(names.of_range(statement.node.relation), SUE if statement.node.concurrent else SH, scan=True)


def _reindex(statement: Statement, session: Session) -> Iterator[Touch]:
    node = statement.node
    if node.HasField("relation") and node.kind in (pg.REINDEX_OBJECT_TABLE, pg.REINDEX_OBJECT_INDEX):
        concurrently = any(option.def_elem.defname == "concurrently" for option in node.params)
        name = names.of_range(node.relation)
        owner = session.index_table(name) if node.kind == pg.REINDEX_OBJECT_INDEX else session.relation(name)
        yield Touch(owner.name if owner else f"the table of {name}", SUE if concurrently else SH, scan=True)


def _rename(statement: Statement, _session: Session) -> Iterator[Touch]:
    node = statement.node
    if node.rename_type == pg.OBJECT_INDEX:
        return
    if node.HasField("relation"):
        yield Touch(names.of_range(node.relation), AX)


def _create(statement: Statement, _session: Session) -> Iterator[Touch]:
    """A new table touches the tables that its foreign keys reference, and its parents."""
    node = statement.node
    yield Touch(names.of_range(node.relation), None)
    for parent in node.inh_relations:
        yield Touch(names.of_range(parent.range_var), AX if node.HasField("partbound") else SUE)
    for element in map(inner, node.table_elts):
        keys = [element] if element.DESCRIPTOR.name == "Constraint" else []
        if element.DESCRIPTOR.name == "ColumnDef":
            keys = [item.constraint for item in element.constraints]
        for key in keys:
            if key.contype == pg.CONSTR_FOREIGN:
                yield Touch(names.of_range(key.pktable), SRX)


def _create_as(statement: Statement, _session: Session) -> Iterator[Touch]:
    yield Touch(names.of_range(statement.node.into.rel), None)


def _view(statement: Statement, _session: Session) -> Iterator[Touch]:
    yield Touch(names.of_range(statement.node.view), AX if statement.node.replace else None)
    query = inner(statement.node.query)
    yield from (Touch(names.of_range(relation), AS) for relation in _ranges(query))


def _trigger(statement: Statement, _session: Session) -> Iterator[Touch]:
    yield Touch(names.of_range(statement.node.relation), SRX)


def _exclusive(statement: Statement, _session: Session) -> Iterator[Touch]:
    node = statement.node
    for field in ("relation", "table"):
        if field in node.DESCRIPTOR.fields_by_name and node.HasField(field):
            yield Touch(names.of_range(getattr(node, field)), AX)


def _refresh(statement: Statement, _session: Session) -> Iterator[Touch]:
    yield Touch(names.of_range(statement.node.relation), EX if statement.node.concurrent else AX, scan=True)


def _cluster(statement: Statement, _session: Session) -> Iterator[Touch]:
    if statement.node.HasField("relation"):
        yield Touch(names.of_range(statement.node.relation), AX, rewrite=True)


def _lock(statement: Statement, _session: Session) -> Iterator[Touch]:
    for item in statement.node.relations:
        yield Touch(names.of_range(item.range_var), MODES[statement.node.mode - 1])


def _vacuum(statement: Statement, _session: Session) -> Iterator[Touch]:
    is_full = any(option.def_elem.defname == "full" for option in statement.node.options)
    for item in statement.node.rels:
        yield Touch(names.of_range(item.vacuum_relation.relation), AX if is_full else SUE, True, is_full)


def _copy(statement: Statement, _session: Session) -> Iterator[Touch]:
    if statement.node.HasField("relation"):
        yield Touch(names.of_range(statement.node.relation), RX if statement.node.is_from else AS)


def _alter_table(statement: Statement, session: Session) -> Iterator[Touch]:
    node = statement.node
    if node.objtype in _ALTERED:
        name = names.of_range(node.relation)
        relation = session.relation(name)
        for item in node.cmds:
            yield from alter_locks.of_subcommand(Subcommand(name, relation, item.alter_table_cmd, session))


_TOUCHES: dict[str, Callable[[Statement, Session], Iterator[Touch]]] = {
    "drop_stmt": _drop,
    "truncate_stmt": _truncate,
    "insert_stmt": _write,
    "update_stmt": _write,
    "delete_stmt": _write,
    "merge_stmt": _write,
    "select_stmt": _reads,
    "index_stmt": _index,
    "reindex_stmt": _reindex,
    "rename_stmt": _rename,
    "create_stmt": _create,
    "create_table_as_stmt": _create_as,
    "view_stmt": _view,
    "create_trig_stmt": _trigger,
    "rule_stmt": _exclusive,
    "create_policy_stmt": _exclusive,
    "alter_policy_stmt": _exclusive,
    "alter_object_schema_stmt": _exclusive,
    "refresh_mat_view_stmt": _refresh,
    "cluster_stmt": _cluster,
    "lock_stmt": _lock,
    "vacuum_stmt": _vacuum,
    "copy_stmt": _copy,
    "alter_table_stmt": _alter_table,
}
