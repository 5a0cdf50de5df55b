from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engines.risk import batch_swap, evidence, names
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    for item in statement.node.objects:
        name = names.of_object(item)
        relation = session.relation(name)
        if relation.is_absent or (relation.is_made and not relation.took_in):
            continue
        if batch_swap.of_table(name, session):
            # Its rows live on in the copy: a rule of its own.
            continue
        known = evidence.of_table(relation)
        if relation.holds_nothing_old:
            message = f"DROP TABLE removes {name}, which is empty"
            yield Hit(message, name, why=evidence.in_words(relation), evidence=known, severity="advice")
            continue
        parents = relation.facts.referenced_by if relation.facts else ()
        why = evidence.in_words(relation)
        if parents:
            why += f" Foreign keys of {', '.join(parents)} point to it."
        yield Hit(f"DROP TABLE destroys {name} and every row in it", name, why=why, evidence=known)


RULE = Rule(
    id="drop-table",
    severity="danger",
    nodes=("drop_stmt/OBJECT_TABLE",),
    what="A table is dropped together with its rows.",
    why="Nothing brings the rows back but a backup, and every program that still reads the table fails at once."
    " It takes ACCESS EXCLUSIVE on the table and on each table that it references by a foreign key.",
    safe_way="Make sure that nothing reads it any more, then ALTER TABLE {table} RENAME TO {table_name}_trash; keep it"
    " for one release, take a copy (pg_dump --table), drop its foreign keys one by one, and only then drop it.",
    check=check,
    destroys=True,
)
