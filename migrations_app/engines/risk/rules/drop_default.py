from __future__ import annotations

from collections.abc import Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import burden
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session, known_columns
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    for at in burden.subcommands(statement, session, pg.AT_ColumnDefault):
        column = at.relation.column(at.command.name)
        if column.origin is None or at.command.HasField("def"):
            continue
        known = known_columns(at.relation).get(column.origin)
        if (known is not None and known.default is None) or _is_set_again(statement, at.command.name):
            continue
        message = f"{at.name}.{at.command.name} loses its default"
        why = ""
        if column.not_null:
            why = f"{at.command.name} is NOT NULL: an INSERT that leaves it out fails from now on (23502)."
        yield Hit(message, at.name, at.command.name, why)


def _is_set_again(statement: Statement, column: str) -> bool:
    """As in DROP DEFAULT, TYPE ..., SET DEFAULT, which a change of type often needs."""
    commands = [item.alter_table_cmd for item in statement.node.cmds]
    return any(
        each.subtype == pg.AT_ColumnDefault and each.name == column and each.HasField("def") for each in commands
    )


RULE = Rule(
    id="drop-default",
    severity="advice",
    nodes=("AT_ColumnDefault",),
    what="A column loses its default.",
    why="Old code that leaves the column out of its INSERTs writes NULL from now on, or fails where NULL is forbidden.",
    safe_way="First release code that names {column} in every INSERT; then ALTER TABLE {table} ALTER COLUMN {column}"
    " DROP DEFAULT.",
    check=check,
)
