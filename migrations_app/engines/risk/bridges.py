"""Views that answer to the old name of what the same transaction renames or moves, so that running code goes on."""

from __future__ import annotations

from collections.abc import Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import names
from migrations_app.engines.risk.names import Node, inner
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement

_ENDS = {pg.TRANS_STMT_COMMIT, pg.TRANS_STMT_ROLLBACK, pg.TRANS_STMT_PREPARE}


def in_transaction_after(statement: Statement, session: Session) -> Iterator[Statement]:
    """What the same transaction does afterwards."""
    if session.in_transaction:
        for later in session.statements[statement.index + 1 :]:
            if later.node_name == "transaction_stmt" and later.node.kind in _ENDS:
                return
            yield later


def view_named(key: str, statement: Statement, session: Session) -> Node | None:
    """The view that the same transaction makes under this qualified name afterwards."""
    schema, _, name = key.rpartition(".")
    for later in in_transaction_after(statement, session):
        if later.node_name == "view_stmt" and later.node.view.relname == name:
            view = later.node.view
            if (view.schemaname or session.qualified(name).rpartition(".")[0]) == schema:
                return later.node
    return None


def hides_column(name: str, column: str, statement: Statement, session: Session) -> bool:
    """Whether a view that takes the place of the table, in the same transaction, still shows the column's old name."""
    for old in _former_names(name, statement, session):
        view = view_named(old, statement, session)
        targets = inner(view.query).target_list if view is not None else ()
        if any(target.res_target.name == column for target in targets):
            return True
    return False


def _former_names(name: str, statement: Statement, session: Session) -> Iterator[str]:
    """The qualified name of the table, when this transaction renames it away after or before this statement."""
    key = session.qualified(name)
    schema = key.rpartition(".")[0]
    for each in session.statements:
        if each.node_name == "rename_stmt" and each.node.rename_type == pg.OBJECT_TABLE:
            old = names.of_range(each.node.relation)
            if each.index > statement.index and session.qualified(old) == key:
                yield key
            elif each.index < statement.index and each.node.newname == names.bare(name):
                yield old if "." in old else f"{schema}.{old}"
