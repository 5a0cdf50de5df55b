from __future__ import annotations

from collections.abc import Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import column_types, evidence, names, using
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    name = names.of_range(statement.node.relation)
    relation = session.relation(name)
    for item in statement.node.cmds:
        command = item.alter_table_cmd
        if command.subtype != pg.AT_AlterColumnType or relation.holds_nothing_old:
            continue
        definition = getattr(command, "def").column_def
        column = relation.column(command.name)
        is_new = column.origin is None and not relation.took_in
        if is_new or column.has_values is False or not definition.HasField("raw_default"):
            continue
        old = column_types.parse(column.type) if column.type else None
        loss = using.loses(definition.raw_default, command.name, old)
        if loss:
            message = f"USING may throw away values of {name}.{command.name}: {loss}"
            known = evidence.of_column(relation, column)
            yield Hit(message, name, command.name, evidence.in_words(relation), known)


RULE = Rule(
    id="type-using-lossy",
    severity="danger",
    nodes=("AT_AlterColumnType",),
    what="ALTER COLUMN ... TYPE ... USING computes the new value by an expression that does not keep the old one.",
    why="The expression runs over all rows at once and its input is gone afterwards.",
    safe_way="Add {column}_new to {table}, fill it from {column} by a chunked backfill, compare the two columns"
    " (the old value must be recoverable from the new), and drop {column} one release later.",
    check=check,
)
