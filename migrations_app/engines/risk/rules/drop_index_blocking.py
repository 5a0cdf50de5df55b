from __future__ import annotations

from collections.abc import Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import evidence, names
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    node = statement.node
    if node.remove_type != pg.OBJECT_INDEX or node.concurrent:
        return
    for item in node.objects:
        name = names.of_object(item)
        owner = session.index_table(name)
        if session.made_here("index", name) or (owner is not None and owner.holds_nothing_old):
            continue
        known = evidence.of_table(owner) if owner else {}
        table = owner.name if owner else None
        yield Hit(f"DROP INDEX {name} locks its table for everybody", table, evidence=known, values={"name": name})


RULE = Rule(
    id="drop-index-blocking",
    severity="hazard",
    nodes=("drop_stmt",),
    what="An index is dropped under a lock that stops everybody.",
    why="DROP INDEX takes ACCESS EXCLUSIVE on the table, and waits for it behind every open transaction.",
    safe_way="Outside of a transaction (autocommit_block): DROP INDEX CONCURRENTLY {name}.",
    check=check,
)
