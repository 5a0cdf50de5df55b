from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engines.risk import evidence, names
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    for item in statement.node.objects:
        name = names.of_object(item)
        relation = session.relation(name)
        if not relation.is_existing:
            continue
        known, why = evidence.of_table(relation), evidence.in_words(relation)
        message = f"The materialized view {name} is dropped with the rows that it keeps"
        yield Hit(message, name, None, why, known, "advice" if relation.holds_nothing_old else None)


RULE = Rule(
    id="drop-matview",
    severity="hazard",
    nodes=("drop_stmt/OBJECT_MATVIEW",),
    what="A materialized view is dropped with what it has computed.",
    why="Whatever reads it fails at once. Its rows can only be computed again while the rows that it was made from are"
    " still there; building it again takes as long as its query.",
    safe_way="To change it, make the new one beside it (CREATE MATERIALIZED VIEW {table}_new ...), with its indexes;"
    " then in one transaction DROP MATERIALIZED VIEW {table} and ALTER MATERIALIZED VIEW {table}_new RENAME TO"
    " {table_name}. To remove it, first release code that no longer reads {table}.",
    check=check,
)
