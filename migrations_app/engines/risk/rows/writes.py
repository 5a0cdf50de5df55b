"""Which rows the input itself has changed so far: what the catalog said of them may be true no longer."""

from __future__ import annotations

from collections.abc import Iterable

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import names
from migrations_app.engines.risk.session import Relation, Session
from migrations_app.engines.risk.statements import Statement

ANY, ADDED = "*", "+"
"""In place of columns: rows may be gone or changed anywhere, and new rows may be there."""


def note(statement: Statement, session: Session) -> None:
    """Remember what an INSERT, UPDATE, DELETE, MERGE, TRUNCATE or COPY has changed."""
    node = statement.node
    if statement.node_name == "truncate_stmt":
        for item in node.relations:
            _remember(names.of_range(item.range_var), {ANY}, session)
    elif statement.node_name == "copy_stmt":
        if node.is_from and node.HasField("relation"):
            _remember(names.of_range(node.relation), {ADDED}, session)
    elif statement.node_name == "update_stmt":
        columns = {item.res_target.name for item in node.target_list}
        _remember(names.of_range(node.relation), columns, session)
    elif statement.node_name == "insert_stmt":
        overwrites = node.HasField("on_conflict_clause") and node.on_conflict_clause.action == pg.ONCONFLICT_UPDATE
        _remember(names.of_range(node.relation), {ADDED, ANY} if overwrites else {ADDED}, session)
    else:
        _remember(names.of_range(node.relation), {ANY, ADDED}, session)


def _remember(name: str, columns: Iterable[str], session: Session) -> None:
    relation = session.relation(name)
    if relation.is_view:
        session.has_unseen_writes = True
        return
    for key in _keys(relation, session):
        session.writes.setdefault(key, set()).update(columns)


def _keys(relation: Relation, session: Session) -> list[str]:
    """The table, by its name in the catalog, and those that it is a partition of."""
    facts = relation.facts
    if facts is None:
        return [session.qualified(relation.name)]
    return [facts.qualified, *([facts.partition_of] if facts.partition_of else ())]


def may_have_changed(relation: Relation, columns: Iterable[str], session: Session, *, adding: bool = False) -> bool:
    """Whether values of these columns may differ from what the target holds now. `adding`: or new rows may be there."""
    if session.has_unseen_writes:
        return True
    facts = relation.facts
    keys = [*_keys(relation, session), *(facts.partitions if facts else ())]
    changed: set[str] = set()
    for key in keys:
        changed |= session.writes.get(key, set())
    looked_at = {ANY, *columns, *({ADDED} if adding else ())}
    return bool(changed & looked_at)
