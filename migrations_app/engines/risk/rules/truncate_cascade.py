from __future__ import annotations

from collections.abc import Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import names
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    node = statement.node
    if node.behavior != pg.DROP_CASCADE:
        return
    named = [names.of_range(item.range_var) for item in node.relations]
    listed = {session.qualified(name) for name in named}
    for name in named:
        relation = session.relation(name)
        if relation.is_absent or (relation.is_made and not relation.took_in):
            continue
        message = f"TRUNCATE {name} CASCADE also empties every table that references it"
        if relation.facts is None:
            yield Hit(message, name, why="Without a database to ask, which tables those are is not known.")
            continue
        unnamed = [child for child in relation.facts.referenced_by if child not in listed]
        if unnamed:
            why = f"It would also empty {', '.join(unnamed)}."
            yield Hit(message, name, why=why, evidence={"also_emptied": unnamed})


RULE = Rule(
    id="truncate-cascade",
    severity="danger",
    nodes=("truncate_stmt",),
    what="TRUNCATE ... CASCADE empties tables that it does not name.",
    why="Every table with a foreign key to this one is emptied as well, and theirs in turn.",
    safe_way="Leave CASCADE out and name each table that is really meant: TRUNCATE {table}, its_child.",
    check=check,
    destroys=True,
)
