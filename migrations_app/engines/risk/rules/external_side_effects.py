from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engines.risk import calls, names
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement

_FUNCTIONS = {
    "pg_notify": "wakes up programs that listen",
    "pg_terminate_backend": "ends sessions of others",
    "pg_cancel_backend": "cancels statements of others",
    "pg_reload_conf": "makes the server read its configuration again",
    "pg_rotate_logfile": "changes the log file of the server",
    "pg_file_write": "writes a file of the server",
    "lo_export": "writes a file of the server",
    "http_get": "calls another server",
    "http_post": "calls another server",
    "http_put": "calls another server",
    "http_delete": "calls another server",
    **dict.fromkeys(("dblink", "dblink_exec", "dblink_send_query", "dblink_open"), "runs SQL on another server"),
    **dict.fromkeys(("dblink_connect", "dblink_connect_u"), "connects to another server"),
}
_WRITES = ("insert_stmt", "update_stmt", "delete_stmt")


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    node = statement.node
    if statement.node_name == "copy_stmt":
        table = names.of_range(node.relation) if node.HasField("relation") else None
        if node.is_program:
            yield Hit("COPY runs a program on the database server", table)
        elif node.filename and not node.is_from:
            yield Hit(f"COPY writes the file {node.filename} on the database server", table)
        return
    if statement.node_name == "notify_stmt":
        yield Hit(f"NOTIFY wakes up programs that listen on {node.conditionname}")
        return
    if statement.node_name in _WRITES:
        relation = session.relation(names.of_range(node.relation))
        if relation.facts is not None and relation.facts.kind == "foreign":
            yield Hit(f"{statement.kind} writes to {relation.name}, whose rows are on another server", relation.name)
    for function, _ in calls.of(statement, _FUNCTIONS.keys()):
        yield Hit(f"{function}() {_FUNCTIONS[function]}")


RULE = Rule(
    id="external-side-effects",
    severity="hazard",
    nodes=("copy_stmt", "notify_stmt", "select_stmt", *_WRITES),
    what="Something outside of this database is changed or told: a program, a file, another server, other sessions.",
    why="It may happen although the transaction is rolled back, and again when the revision is tried again; a rehearsal"
    " on a copy does it for real.",
    safe_way="Do it beside the rollout: by the deploy pipeline, or by a job that can be repeated and watched; leave the"
    " revision with the schema and the rows of this database.",
    check=check,
)
