from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engines.risk import calls
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement

_DOES = {
    "lo_unlink": "destroys large objects",
    "lo_truncate": "cuts off a large object",
    "lo_truncate64": "cuts off a large object",
    "lowrite": "overwrites part of a large object",
    "lo_put": "overwrites part of a large object",
}


def check(statement: Statement, session: Session) -> Iterator[Hit]:  # noqa: ARG001 - every rule is called alike
    for function, _ in calls.of(statement, _DOES.keys()):
        yield Hit(f"{function}() {_DOES[function]}")


RULE = Rule(
    id="large-object-delete",
    severity="danger",
    nodes=("select_stmt", "insert_stmt", "update_stmt", "delete_stmt"),
    what="Large objects are deleted or overwritten.",
    why="They are not rows of any table: no foreign key protects them, no count of rows shows them, and a row that"
    " still points to one finds nothing.",
    safe_way="List them first: SELECT oid FROM pg_largeobject_metadata EXCEPT SELECT the_column FROM each table that"
    " points to them; save those (lo_export on the client, \\lo_export), and unlink them by oid in small batches.",
    check=check,
    destroys=True,
)
