from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engines.risk import new_table
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement

_LARGEST = {"int2": "32,767", "int4": "2,147,483,647"}


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    table = new_table.of(statement, session)
    if table is None or len(table.primary) != 1:
        return
    column = table.column(table.primary[0])
    if column is None or column.type.dimensions or column.type.base not in _LARGEST:
        return
    # A key that is another table's is as wide as that one.
    if any(key.columns == (column.name,) for key in table.foreign):
        return
    largest = _LARGEST[column.type.base]
    message = f"The primary key {table.name}.{column.name} is {column.type}: it ends at {largest}"
    yield Hit(message, table.name, column.name)


RULE = Rule(
    id="int-primary-key",
    severity="advice",
    nodes=("create_stmt",),
    what="A primary key counts in integer or smallint.",
    why="Numbers are used up by rolled back and deleted rows, too. When they end, every INSERT fails, and bigint then"
    " means a rewrite of the table and of all that references it; today it costs four bytes a row, or none.",
    safe_way="CREATE TABLE {table} ({column} bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, ...); in SQLAlchemy"
    " sa.BigInteger.",
    check=check,
)
