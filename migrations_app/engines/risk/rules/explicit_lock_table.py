from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engines.risk import burden, names
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.locking.lock_modes import BLOCKING, MODES
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    node = statement.node
    mode = MODES[node.mode - 1]
    if mode not in BLOCKING:
        return
    for item in node.relations:
        name = names.of_range(item.range_var)
        relation = session.relation(name)
        if burden.is_felt(relation):
            who = "everybody" if mode == "ACCESS EXCLUSIVE" else "all writers"
            message = f"LOCK TABLE {name} IN {mode} MODE makes {who} wait until the transaction ends"
            yield burden.hit(name, relation, message, known={"mode": mode})


RULE = Rule(
    id="explicit-lock-table",
    severity="hazard",
    nodes=("lock_stmt",),
    what="A table is locked by hand.",
    why="LOCK TABLE without a mode takes ACCESS EXCLUSIVE, which stops readers as well; nothing but the end of the"
    " transaction gives it back.",
    safe_way="Lock the rows that matter: SELECT ... FROM {table} WHERE ... FOR UPDATE, in batches; or let the statement"
    " that follows take its own lock. If it must be, SET LOCAL lock_timeout = '2s' first, and keep the transaction"
    " short.",
    check=check,
)
