from __future__ import annotations

from collections.abc import Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement

_WORDS = {
    "createdb_stmt": "CREATE DATABASE",
    "dropdb_stmt": "DROP DATABASE",
    "alter_system_stmt": "ALTER SYSTEM",
    "create_table_space_stmt": "CREATE TABLESPACE",
    "drop_table_space_stmt": "DROP TABLESPACE",
}
_WHOLE = {
    pg.REINDEX_OBJECT_SCHEMA: "REINDEX SCHEMA",
    pg.REINDEX_OBJECT_SYSTEM: "REINDEX SYSTEM",
    pg.REINDEX_OBJECT_DATABASE: "REINDEX DATABASE",
}


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    if not session.in_transaction and not statement.inside:
        return
    name, node = statement.node_name, statement.node
    what = _WORDS.get(name, "")
    if name == "vacuum_stmt":
        what = "VACUUM" if node.is_vacuumcmd else ""
    elif name == "reindex_stmt":
        what = _WHOLE.get(node.kind, "")
    elif name == "cluster_stmt" and not node.HasField("relation"):
        what = "CLUSTER of all tables"
    if what:
        yield Hit(f"{what} cannot run inside a transaction", fails="25001")


RULE = Rule(
    id="not-in-transaction",
    severity="hazard",
    nodes=(*_WORDS, "reindex_stmt", "cluster_stmt", "vacuum_stmt"),
    what="A statement that PostgreSQL refuses inside a transaction.",
    why="The revision fails there (SQLSTATE 25001), and everything before it is rolled back.",
    safe_way="It is work for the operator of the server and not for a revision. If it has to be one: alone in a"
    " revision, in op.get_context().autocommit_block().",
    check=check,
)
