from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.locking.lock_modes import AX
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:  # noqa: ARG001 - every rule is called alike
    locked = session.transaction.exclusive
    if not locked or RULE.id in session.told:
        return
    for touch in session.touches:
        if touch.mode == AX and session.qualified(touch.name) not in locked:
            session.told.add(RULE.id)
            tables = [*locked, session.qualified(touch.name)]
            message = f"One transaction locks {' and '.join(tables)} against everybody"
            yield Hit(message, touch.name, evidence={"tables": tables})
            return


RULE = Rule(
    id="multi-table-exclusive-locks",
    severity="advice",
    nodes=("@held",),
    what="Several tables are locked with ACCESS EXCLUSIVE in one transaction.",
    why="An application that uses the tables in another order deadlocks with it, and the first table stays locked while"
    " the second lock is waited for.",
    safe_way="One table a revision; where they belong together, lock them in the order in which the application uses"
    " them.",
    check=check,
)
