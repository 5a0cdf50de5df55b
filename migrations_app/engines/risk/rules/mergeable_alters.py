from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engines.risk import names
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    if statement.node_name != "alter_table_stmt":
        return
    work = [touch for touch in session.touches if touch.scan or touch.rewrite]
    name = names.of_range(statement.node.relation)
    key = session.qualified(name)
    if not any(session.qualified(touch.name) == key for touch in work) or session.relation(name).holds_nothing_old:
        return
    before = session.transaction.noted("worked", key)
    session.transaction.note("worked", key, by=statement.index)
    if before is not None:
        message = f"{name} is read or written as a whole once more, after statement {before + 1} did so already"
        yield Hit(message, name, evidence={"first_statement": before})


RULE = Rule(
    id="mergeable-alters",
    severity="advice",
    nodes=("@lock",),
    what="Several ALTER TABLE of one table each go through all of its rows.",
    why="One ALTER TABLE with several parts goes through them once, and holds the lock a fraction of the time.",
    safe_way="ALTER TABLE {table} <first part>, <second part>; in Alembic: one op.execute, or batch_alter_table.",
    check=check,
)
