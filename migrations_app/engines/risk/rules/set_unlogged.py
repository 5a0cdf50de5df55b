from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engines.risk import evidence, names
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    name = names.of_range(statement.node.relation)
    relation = session.relation(name)
    is_already = relation.facts is not None and relation.facts.persistence != "p"
    if relation.is_existing and not is_already:
        message = f"{name} would lose its rows with the next crash or failover"
        yield Hit(message, name, why=evidence.in_words(relation), evidence=evidence.of_table(relation))


RULE = Rule(
    id="set-unlogged",
    severity="danger",
    nodes=("AT_SetUnLogged",),
    what="A table is no longer written to the log.",
    why="After a crash it is empty, replicas never have its rows, and the change itself rewrites the table.",
    safe_way="Leave {table} logged. If it is only a cache, make a new UNLOGGED table for it and say so in its comment.",
    check=check,
)
