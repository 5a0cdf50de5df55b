from __future__ import annotations

from collections.abc import Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import batch_swap, evidence, names
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Relation, Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    node = statement.node
    if node.behavior == pg.DROP_CASCADE or len(node.objects) != 1:
        return
    name = names.of_object(node.objects[0])
    swap = batch_swap.of_table(name, session)
    relation = session.relation(name)
    if swap is None or not relation.is_existing:
        return
    known = evidence.of_table(relation)
    lost = _lost(relation, swap)
    why = evidence.in_words(relation)
    if lost:
        message = f"{name} is copied into a new table without {', '.join(lost)}: those values are gone"
        yield Hit(
            message, name, lost[0], why, known | {"lost": lost}, "advice" if relation.holds_nothing_old else "danger"
        )
    else:
        message = f"{name} is copied into a new table and dropped, instead of altered in place"
        yield Hit(message, name, None, why, known, "advice" if relation.holds_nothing_old else None)


def _lost(relation: Relation, swap: batch_swap.Swap) -> list[str]:
    """The columns with values that are not copied."""
    older = relation.facts.columns if relation.facts else relation.columns
    now = {each.name for each in relation.columns.values()} | set(older)
    columns = [relation.column(name) for name in sorted(now)]
    return [
        column.name
        for column in columns
        if column.name not in swap.kept and column.origin is not None and column.has_values is not False
    ]


RULE = Rule(
    id="batch-recreate",
    severity="hazard",
    nodes=("drop_stmt/OBJECT_TABLE",),
    what='batch_alter_table(recreate="always") copies the whole table and puts the copy in its place.',
    why="On PostgreSQL there is no need for it: every row is written anew while nobody can use the table, and what the"
    " copy lacks is gone in silence: privileges, triggers, policies, comments, and the indexes and checks that the"
    " revision does not spell. Views and foreign keys on the table make it fail.",
    safe_way='Alter the table in place: op.batch_alter_table("{table_name}", recreate="never"), or op.alter_column,'
    " op.add_column, op.drop_column, each with its own safe way.",
    check=check,
    destroys=True,
)
