from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engines.risk import burden, new_columns
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    for column in new_columns.of_statement(statement, session):
        if column.is_counted:
            message = f"Adding {column.table}.{column.name} numbers every row and rewrites the table"
            yield burden.hit(column.table, column.relation, message, column.name)


RULE = Rule(
    id="add-column-identity",
    severity="hazard",
    nodes=("AT_AddColumn",),
    what="A serial or IDENTITY column is added to a table with rows.",
    why="Each row gets a number of its own: ACCESS EXCLUSIVE is held while the table and all its indexes are written"
    " anew, and nobody reads or writes.",
    safe_way="ALTER TABLE {table} ADD COLUMN {column} bigint; CREATE SEQUENCE {table_name}_{column}_seq OWNED BY"
    " {table}.{column}; ALTER TABLE {table} ALTER COLUMN {column} SET DEFAULT"
    " nextval('{table_name}_{column}_seq'); then number the old rows by a chunked backfill.",
    check=check,
)
