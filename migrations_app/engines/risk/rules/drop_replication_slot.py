from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engines.risk import calls
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement

_DOES = {
    "pg_drop_replication_slot": "is dropped: what its consumer has not read yet is lost to it",
    "pg_replication_slot_advance": "is moved on: its consumer never sees what lies between",
    "pg_logical_slot_get_changes": "is read here: its consumer never sees those changes",
    "pg_logical_slot_get_binary_changes": "is read here: its consumer never sees those changes",
}


def check(statement: Statement, session: Session) -> Iterator[Hit]:  # noqa: ARG001 - every rule is called alike
    if statement.node_name == "drop_subscription_stmt":
        name = statement.node.subname
        yield Hit(f"The subscription {name} is dropped, and with it its replication slot on the publisher")
        return
    for function, call in calls.of(statement, _DOES.keys()):
        slot = calls.text_of(call.args[0]) if call.args else None
        values = {"name": slot} if slot else {}
        yield Hit(f"The replication slot {slot or 'that the query finds'} {_DOES[function]}", values=values)


RULE = Rule(
    id="drop-replication-slot",
    severity="danger",
    nodes=("select_stmt", "drop_subscription_stmt"),
    what="A replication slot is dropped or moved on.",
    why="A standby or a pipeline that reads from it has a gap and must be built anew; the slot is gone even when the"
    " transaction is rolled back.",
    safe_way="Have the consumer stop and drain first: SELECT slot_name, active, confirmed_flush_lsn FROM"
    " pg_replication_slots WHERE slot_name = '{name}'. Drop it by hand, by the people who run the replication, not in a"
    " revision.",
    check=check,
)
