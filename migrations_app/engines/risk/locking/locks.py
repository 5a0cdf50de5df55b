"""The strongest lock that a statement takes on tables which others can use, and whether it scans or rewrites one.

Facts measured on PostgreSQL 15; tests/rules compares them with pg_locks and relfilenodes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import names
from migrations_app.engines.risk.locking import alter_locks, lock_drops, lock_objects, lock_queries, lock_upkeep
from migrations_app.engines.risk.locking.alter_locks import Subcommand
from migrations_app.engines.risk.locking.lock_modes import AS, Touch, stronger
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement

_ALTERED = {pg.OBJECT_TABLE, pg.OBJECT_VIEW, pg.OBJECT_MATVIEW, pg.OBJECT_FOREIGN_TABLE}


class Footprint(NamedTuple):
    """What a statement does to tables that existed before the input. `lock` is None when it touches none."""

    tables: tuple[str, ...] = ()
    lock: str | None = None
    scan: bool = False
    rewrite: bool = False
    touches: tuple[Touch, ...] = ()
    """The locks on existing tables, one a table: its strongest mode, and whether the table is scanned or rewritten."""


_NONE = Footprint()


def footprint(statement: Statement, session: Session) -> Footprint:
    """The strongest lock, with all tables that the statement names."""
    touching = _TOUCHES.get(statement.node_name)
    if touching is None:
        return _NONE
    tables: dict[str, None] = {}
    held: dict[str, Touch] = {}
    for touch in touching(statement, session):
        name, mode = touch.name, touch.mode
        if names.is_catalog(name):
            continue
        tables[name] = None
        # A name with a blank is words for tables that nobody can name here.
        if mode is not None and (" " in name or session.relation(name).is_existing):
            key = session.qualified(name)
            before = held.get(key)
            held[key] = touch if before is None else touch.with_all_of(before)
    if not held:
        return Footprint(tuple(tables))
    lock, scan, rewrite = None, False, False
    for touch in held.values():
        lock = stronger(lock, touch.mode)
        scan, rewrite = scan or touch.scan, rewrite or touch.rewrite
    return Footprint(tuple(tables), lock, scan or rewrite, rewrite, tuple(held.values()))


def _alter_table(statement: Statement, session: Session) -> Iterator[Touch]:
    node = statement.node
    if node.objtype in _ALTERED:
        name = names.of_range(node.relation)
        relation = session.relation(name)
        if node.missing_ok and relation.is_absent:
            yield Touch(name, None)
            return
        is_view, is_foreign = node.objtype == pg.OBJECT_VIEW, node.objtype == pg.OBJECT_FOREIGN_TABLE
        for item in node.cmds:
            at = Subcommand(name, relation, item.alter_table_cmd, session, not node.relation.inh, node.cmds, is_view)
            touches = alter_locks.of_subcommand(at)
            # What is elsewhere is neither read nor written here.
            yield from (Touch(touch.name, touch.mode) for touch in touches) if is_foreign else touches
    elif node.objtype == pg.OBJECT_TYPE:
        yield from lock_objects.composite(statement, session)
    elif node.objtype == pg.OBJECT_INDEX and node.cmds[0].alter_table_cmd.subtype == pg.AT_AttachPartition:
        command = getattr(node.cmds[0].alter_table_cmd, "def").partition_cmd
        for index in (node.relation, command.name):
            owner = session.index_table(names.of_range(index))
            if owner is not None:
                yield Touch(owner.name, AS)


_TOUCHES: dict[str, Callable[[Statement, Session], Iterator[Touch]]] = {
    **lock_objects.OBJECTS,
    "alter_table_stmt": _alter_table,
    "drop_stmt": lock_drops.drop,
    "drop_owned_stmt": lock_drops.owned,
    "reassign_owned_stmt": lock_drops.owned,
    "truncate_stmt": lock_drops.truncate,
    "select_stmt": lock_queries.select,
    "insert_stmt": lock_queries.write,
    "update_stmt": lock_queries.write,
    "delete_stmt": lock_queries.write,
    "merge_stmt": lock_queries.write,
    "copy_stmt": lock_queries.copy,
    "explain_stmt": lock_queries.explain,
    "prepare_stmt": lock_queries.explain,
    "vacuum_stmt": lock_upkeep.vacuum,
    "cluster_stmt": lock_upkeep.cluster,
    "reindex_stmt": lock_upkeep.reindex,
    "refresh_mat_view_stmt": lock_upkeep.refresh,
    "lock_stmt": lock_upkeep.lock,
}
