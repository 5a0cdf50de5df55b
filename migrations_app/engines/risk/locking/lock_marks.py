"""The locks of COMMENT, SECURITY LABEL, GRANT and publications, which change nothing in a table itself."""

from __future__ import annotations

from collections.abc import Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import names
from migrations_app.engines.risk.locking.lock_family import spread
from migrations_app.engines.risk.locking.lock_modes import AS, SUE, Touch
from migrations_app.engines.risk.names import Node
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement

_RELATIONS = {pg.OBJECT_TABLE, pg.OBJECT_VIEW, pg.OBJECT_MATVIEW, pg.OBJECT_FOREIGN_TABLE}
_ON_TABLE = {pg.OBJECT_TABCONSTRAINT, pg.OBJECT_TRIGGER, pg.OBJECT_RULE, pg.OBJECT_POLICY}
_GRANT_OPENS = 180000


def publication(statement: Statement, session: Session) -> Iterator[Touch]:
    """Tables that are added or removed go on being written."""
    node = statement.node
    tables = [item.publication_obj_spec.pubtable for item in node.pubobjects
              if item.publication_obj_spec.HasField("pubtable")]  # fmt: skip
    for table in tables:
        yield from spread(names.of_range(table.relation), SUE, session, recurse=_is_inherited(table, session))
    if statement.node_name == "alter_publication_stmt" and node.action == pg.AP_SetObjects and session.facts:
        published = (key for key, facts in session.facts.tables.items() if node.pubname in facts.publications)
        if not session.facts.publications.get(node.pubname):
            yield from (Touch(key, SUE) for key in published)


def _is_inherited(table: Node, session: Session) -> bool:
    return bool(table.relation.inh) and not _is_partitioned(names.of_range(table.relation), session)


def comment(statement: Statement, session: Session) -> Iterator[Touch]:
    """On a table or column SHARE UPDATE EXCLUSIVE, on what belongs to a table only a glance at it."""
    node = statement.node
    name = names.of_object(node.object)
    if node.objtype in _RELATIONS:
        yield Touch(name, SUE)
    elif node.objtype == pg.OBJECT_COLUMN:
        table = name.rpartition(".")[0]
        if session.facts is None or session.facts.type_of(table) is None:
            yield Touch(table, SUE)
    elif node.objtype in _ON_TABLE:
        yield Touch(name.rpartition(".")[0], AS)


def grant(statement: Statement, session: Session) -> Iterator[Touch]:
    """Privileges are looked up and written without stopping anybody; PostgreSQL 18 opens the table for it."""
    node = statement.node
    if node.targtype == pg.ACL_TARGET_OBJECT and node.objtype == pg.OBJECT_TABLE:
        mode = AS if session.server_version >= _GRANT_OPENS else None
        for item in node.objects:
            yield Touch(names.of_range(item.range_var), mode)


def _is_partitioned(name: str, session: Session) -> bool:
    facts = session.relation(name).facts
    return facts is not None and facts.kind == "partitioned"
