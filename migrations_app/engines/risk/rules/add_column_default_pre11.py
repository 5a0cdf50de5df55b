from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engines.risk import burden, new_columns
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement
from migrations_app.engines.risk.volatility import is_volatile

_FAST_DEFAULTS = 110000


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    if session.server_version >= _FAST_DEFAULTS:
        return
    for column in new_columns.of_statement(statement, session):
        if column.default is not None and not is_volatile(column.default, session):
            message = f"Adding {column.table}.{column.name} with a default rewrites the table before PostgreSQL 11"
            yield burden.hit(column.table, column.relation, message, column.name)


RULE = Rule(
    id="add-column-default-pre11",
    severity="hazard",
    nodes=("AT_AddColumn/CONSTR_DEFAULT",),
    what="A column is added with a default on PostgreSQL 10 or older.",
    why="Only from PostgreSQL 11 on is such a default kept in the catalog; before, ACCESS EXCLUSIVE is held while every"
    " row is written anew.",
    safe_way="ALTER TABLE {table} ADD COLUMN {column} ... without a default; ALTER TABLE {table} ALTER COLUMN {column}"
    " SET DEFAULT ...; then fill the old rows by a chunked backfill.",
    check=check,
)
