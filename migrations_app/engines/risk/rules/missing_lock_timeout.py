from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    # In a run by Tidegate the runner sets it, for every revision.
    if session.is_revision or RULE.id in session.told:
        return
    if session.setting("lock_timeout") not in (None, "0"):
        return
    session.told.add(RULE.id)
    table = session.touches[0].name if session.touches else None
    yield Hit(f"{statement.kind} waits for its lock without a limit, and everybody else waits behind it", table)


RULE = Rule(
    id="missing-lock-timeout",
    severity="advice",
    nodes=("@lock",),
    what="A blocking lock is asked for without lock_timeout.",
    why="One forgotten open transaction is enough: the statement waits for it, and every later query on the table"
    " queues behind the statement, even those that only read. Tidegate sets it for the revisions that it runs.",
    safe_way="SET lock_timeout = '2s'; before it, and try again when it fails with SQLSTATE 55P03.",
    check=check,
)
