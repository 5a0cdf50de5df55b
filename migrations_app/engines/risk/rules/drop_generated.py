from __future__ import annotations

from collections.abc import Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import names
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session, known_columns
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    name = names.of_range(statement.node.relation)
    relation = session.relation(name)
    if not relation.is_existing:
        return
    for item in statement.node.cmds:
        command = item.alter_table_cmd
        if command.subtype != pg.AT_DropExpression:
            continue
        column = relation.column(command.name)
        known = known_columns(relation).get(column.origin or "")
        if column.origin is None or (known is not None and not known.generated):
            continue
        message = f"{name}.{command.name} is no longer computed: its values stay as they are now and go stale"
        yield Hit(message, name, command.name)


RULE = Rule(
    id="drop-generated",
    severity="hazard",
    nodes=("AT_DropExpression",),
    what="A generated column becomes a plain one.",
    why="New rows get NULL in it, old ones keep a value that no longer follows the columns it was computed from;"
    " programs that read it are not told.",
    safe_way="Before ALTER TABLE {table} ALTER COLUMN {column} DROP EXPRESSION, release code that writes {column}"
    " itself, or make a trigger on {table} that fills it.",
    check=check,
)
