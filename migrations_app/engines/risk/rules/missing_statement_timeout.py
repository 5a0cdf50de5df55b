from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    if session.is_revision or RULE.id in session.told or session.setting("statement_timeout") not in (None, "0"):
        return
    for touch in session.touches:
        if (touch.scan or touch.rewrite) and not session.relation(touch.name).holds_nothing_old:
            session.told.add(RULE.id)
            message = f"{statement.kind} blocks {touch.name} for as long as it takes, without a limit"
            yield Hit(message, touch.name)
            return


RULE = Rule(
    id="missing-statement-timeout",
    severity="advice",
    nodes=("@lock",),
    what="Long work under a blocking lock has no statement_timeout.",
    why="If it takes longer than was thought, the table stays blocked until somebody notices. Tidegate sets it for the"
    " revisions that it runs, where the target's limits say so.",
    safe_way="SET statement_timeout = '30s'; before it. Leave it out for VALIDATE CONSTRAINT and CREATE INDEX"
    " CONCURRENTLY, which block nobody.",
    check=check,
)
