from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engines.risk import burden, names
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    node = statement.node
    if node.concurrent:
        return
    for item in node.objects:
        name = names.of_object(item)
        owner = session.index_table(name)
        if session.made_here("index", name):
            continue
        message, values = f"DROP INDEX {name} locks its table for everybody", {"name": names.quoted(name)}
        if owner is not None:
            if burden.is_felt(owner):
                yield burden.hit(owner.name, owner, message, values=values)
        elif session.facts is None:
            yield Hit(message, values=values)


RULE = Rule(
    id="drop-index-blocking",
    severity="hazard",
    nodes=("drop_stmt/OBJECT_INDEX",),
    what="An index is dropped under a lock that stops everybody.",
    why="DROP INDEX takes ACCESS EXCLUSIVE on the table, and waits for it behind every open transaction.",
    safe_way="Outside of a transaction (autocommit_block): DROP INDEX CONCURRENTLY {name}.",
    check=check,
)
