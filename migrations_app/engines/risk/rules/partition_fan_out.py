from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engines.risk import burden, names
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.locking.lock_modes import BLOCKING
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement

_MANY = 8


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    if not session.facts or len(session.touches) <= _MANY or not hasattr(statement.node, "relation"):
        return
    name = names.of_range(statement.node.relation)
    relation = session.relation(name)
    if not relation.is_partitioned or not burden.is_felt(relation):
        return
    locked = sum(touch.mode in BLOCKING and session.relation(touch.name) is not relation for touch in session.touches)
    if locked >= _MANY:
        message = f"{statement.kind} on {name} locks {locked} partitions with it, all until the commit"
        yield burden.hit(name, relation, message, known={"partitions": locked})


RULE = Rule(
    id="partition-fan-out",
    severity="advice",
    nodes=("@lock",),
    what="A statement on a partitioned table locks all of its partitions.",
    why="One busy partition makes the statement wait, with everybody behind all the others. Each lock takes a place in"
    " a table that max_locks_per_transaction limits for the whole server.",
    safe_way="Where the statement allows it, go partition by partition (ALTER TABLE ONLY {table}, indexes by ON ONLY"
    " and ATTACH), each in a transaction of its own; else SET LOCAL lock_timeout = '2s' and try again.",
    check=check,
)
