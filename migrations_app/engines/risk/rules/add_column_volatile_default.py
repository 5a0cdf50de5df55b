from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engines.risk import burden, new_columns
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement
from migrations_app.engines.risk.volatility import is_volatile


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    for column in new_columns.of_statement(statement, session):
        if column.default is None or not is_volatile(column.default, session):
            continue
        message = f"Adding {column.table}.{column.name} computes its default for every row and rewrites the table"
        yield burden.hit(column.table, column.relation, message, column.name)


RULE = Rule(
    id="add-column-volatile-default",
    severity="hazard",
    nodes=("AT_AddColumn/CONSTR_DEFAULT",),
    what="A column is added with a default that differs from row to row: random(), gen_random_uuid(), nextval(), a"
    " volatile function.",
    why="ACCESS EXCLUSIVE is held while the table and all its indexes are written anew: nobody reads or writes. A"
    " constant or now() would be kept in the catalog, in an instant.",
    safe_way="ALTER TABLE {table} ADD COLUMN {column} ... without a default; ALTER TABLE {table} ALTER COLUMN {column}"
    " SET DEFAULT ..., which new rows use; then fill the old rows by a chunked backfill.",
    check=check,
)
