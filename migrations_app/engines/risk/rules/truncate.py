from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engines.risk import evidence, names
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
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
        also = " and sets its sequences back" if statement.node.restart_seqs else ""
        yield Hit(f"TRUNCATE destroys every row of {name}{also}", name, why=evidence.in_words(relation), evidence=known)


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
