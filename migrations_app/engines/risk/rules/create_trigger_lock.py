from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engines.risk import burden, names
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    name = names.of_range(statement.node.relation)
    relation = session.relation(name)
    if burden.is_felt(relation) and not relation.is_view:
        yield burden.hit(name, relation, f"CREATE TRIGGER {statement.node.trigname} makes writes to {name} wait")


RULE = Rule(
    id="create-trigger-lock",
    severity="hazard",
    nodes=("create_trig_stmt",),
    what="A trigger is made on a table that others write to.",
    why="SHARE ROW EXCLUSIVE is taken: no row is read, so it is brief, but it waits behind every open transaction that"
    " wrote to the table, every later write waits behind it, and it is held until the commit.",
    safe_way="SET LOCAL lock_timeout = '2s' in a transaction of its own, with nothing behind it, and try again when it"
    " times out.",
    check=check,
)
