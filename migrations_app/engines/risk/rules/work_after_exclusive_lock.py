from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engines.risk import burden
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    locked = session.transaction.exclusive
    if not locked:
        return
    for touch in session.touches:
        relation = session.relation(touch.name)
        if not (touch.scan or touch.rewrite) or relation.holds_nothing_old:
            continue
        # The table itself first: what this reads or writes is then blocked for its whole length.
        own = session.qualified(touch.name)
        table = own if own in locked else next(iter(locked))
        held = locked[table]
        does = "writes all of" if touch.rewrite else "reads all of"
        message = f"{statement.kind} {does} {touch.name} while this transaction keeps {table} locked"
        known = {"locked": sorted(locked), "since_statement": held.by}
        yield burden.hit(touch.name, relation, message, known=known, values={"name": table})


RULE = Rule(
    id="work-after-exclusive-lock",
    severity="hazard",
    nodes=("@held",),
    what="Long work is done while a table stays locked by what came before.",
    why="ACCESS EXCLUSIVE, once taken, is kept until the commit. What would have been a moment becomes as long as the"
    " work that follows, and nobody can even read the locked table meanwhile.",
    safe_way="Split the revision: the statement that locks {name} alone in one, the long work on {table} in another; or"
    " put the long work first.",
    check=check,
)
