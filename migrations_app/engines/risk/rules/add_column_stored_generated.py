from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engines.risk import burden, new_columns
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    for column in new_columns.of_statement(statement, session):
        if column.is_stored:
            message = f"Adding the generated column {column.table}.{column.name} computes it for every row"
            yield burden.hit(column.table, column.relation, message, column.name)


RULE = Rule(
    id="add-column-stored-generated",
    severity="hazard",
    nodes=("AT_AddColumn/CONSTR_GENERATED",),
    what="A GENERATED ... STORED column is added.",
    why="Its value is written into every row at once: ACCESS EXCLUSIVE is held while the table and all its indexes are"
    " written anew, and nobody reads or writes.",
    safe_way="ALTER TABLE {table} ADD COLUMN {column} ... as a plain column; keep it by a trigger BEFORE INSERT OR"
    " UPDATE, and fill the old rows by a chunked backfill. From PostgreSQL 18 on a VIRTUAL column costs nothing.",
    check=check,
)
