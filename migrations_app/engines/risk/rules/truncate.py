from __future__ import annotations

from collections.abc import Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import evidence, names
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Relation, Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    named = {session.qualified(names.of_range(item.range_var)) for item in statement.node.relations}
    for item in statement.node.relations:
        name = names.of_range(item.range_var)
        relation = session.relation(name)
        if relation.is_absent or (relation.is_made and not relation.took_in):
            continue
        known = evidence.of_table(relation)
        if relation.holds_nothing_old:
            message = f"TRUNCATE of {name}, which is empty"
            yield Hit(message, name, why=evidence.in_words(relation), evidence=known, severity="advice")
            continue
        fails = "0A000" if _is_referenced(relation, named, statement, session) else None
        also = " and sets its sequences back" if statement.node.restart_seqs else ""
        message = f"TRUNCATE destroys every row of {name}{also}"
        yield Hit(message, name, why=evidence.in_words(relation), evidence=known, fails=fails)


def _is_referenced(relation: Relation, named: set[str], statement: Statement, session: Session) -> bool:
    """Whether a table that is not emptied with it references it, be it empty: then PostgreSQL refuses."""
    if relation.facts is None or statement.node.behavior == pg.DROP_CASCADE:
        return False
    return any(
        key.references is not None and session.relation(key.references) is relation
        for child in relation.facts.referenced_by
        if child not in named and not session.relation(child).is_absent
        for key in session.relation(child).known_constraints()
    )


RULE = Rule(
    id="truncate",
    severity="danger",
    nodes=("truncate_stmt",),
    what="A table is emptied.",
    why="All rows go at once, without triggers for each row, and nothing brings them back but a backup."
    " It takes ACCESS EXCLUSIVE until the transaction ends.",
    safe_way="Keep the rows aside: ALTER TABLE {table} RENAME TO {table_name}_old and create an empty {table_name};"
    " or delete in batches by key with a condition that says which rows are no longer wanted.",
    check=check,
    destroys=True,
)
