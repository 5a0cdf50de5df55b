from __future__ import annotations

from collections.abc import Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import evidence, names
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    name = names.of_range(statement.node.relation)
    if statement.node.objtype == pg.OBJECT_TYPE:
        yield from _attributes(statement, session, name)
        return
    relation = session.relation(name)
    if statement.node.objtype != pg.OBJECT_TABLE or relation.is_absent or (relation.is_made and not relation.took_in):
        return
    for item in statement.node.cmds:
        command = item.alter_table_cmd
        if command.subtype != pg.AT_DropColumn:
            continue
        column = relation.column(command.name)
        if column.origin is None and not relation.took_in:
            continue
        known = evidence.of_column(relation, column)
        if column.has_values is False:
            message = f"DROP COLUMN removes {name}.{command.name}, which holds no values"
            yield Hit(message, name, command.name, evidence.in_words(relation), known, severity="advice")
            continue
        message = f"DROP COLUMN destroys every value of {name}.{command.name}"
        why = evidence.in_words(relation)
        if column.has_values:
            why += f" {command.name} holds values other than NULL."
        yield Hit(message, name, command.name, why, known)


def _attributes(statement: Statement, session: Session, name: str) -> Iterator[Hit]:
    """ALTER TYPE ... DROP ATTRIBUTE: the values go in every table that has a column of the type."""
    if session.made_here("type", name):
        return
    for item in statement.node.cmds:
        if item.alter_table_cmd.subtype == pg.AT_DropColumn:
            attribute = item.alter_table_cmd.name
            message = f"DROP ATTRIBUTE destroys {attribute} in every column of the type {name}"
            yield Hit(message, name, attribute)


RULE = Rule(
    id="drop-column",
    severity="danger",
    nodes=("AT_DropColumn",),
    what="A column is dropped together with its values.",
    why="The values cannot be brought back, and programs that still name the column fail at once."
    " It is a change of the catalog only, under a brief ACCESS EXCLUSIVE.",
    safe_way="First release code that neither reads nor writes {column}; keep a copy"
    " (CREATE TABLE {table_name}_{column}_kept AS SELECT id, {column} FROM {table}); after one release"
    " ALTER TABLE {table} DROP COLUMN {column}.",
    check=check,
    destroys=True,
)
