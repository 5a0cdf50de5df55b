from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engines.risk.facts import TableFacts
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement

BUSY_PER_S = 10
"""So many uses a second queue up to hundreds while a lock is waited for."""
_LEAST_AGE_S = 60


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    for touch in session.touches:
        relation = session.relation(touch.name)
        rate = _per_s(relation.facts) if relation.facts else None
        key = f"{RULE.id} {session.qualified(touch.name)}"
        if rate is None or rate < BUSY_PER_S or key in session.told:
            continue
        session.told.add(key)
        message = f"{touch.name} is used about {rate:,.0f} times a second, and {statement.kind} makes all of that wait"
        yield Hit(message, touch.name, evidence={"uses_per_s": round(rate, 1), "lock": touch.mode})


def _per_s(facts: TableFacts) -> float | None:
    """Scans and written rows a second since the server's statistics were reset; None when that is not known."""
    if facts.stats_age_s is None or facts.stats_age_s < _LEAST_AGE_S:
        return None
    uses = (facts.seq_scans or 0) + (facts.idx_scans or 0) + (facts.writes or 0)
    return uses / facts.stats_age_s


RULE = Rule(
    id="hot-table",
    severity="advice",
    nodes=("@lock",),
    what="A table in heavy use is locked.",
    why="Even a brief lock first waits for the transactions that are open now, and everybody who comes later waits"
    " behind it.",
    safe_way="Run it in a quiet hour (not_before, or the environment's window), with a short lock_timeout and retries:"
    " SET lock_timeout = '1s'.",
    check=check,
)
