from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engines.risk import foreign_keys
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement

_NUMBERS = {"int2", "int4", "int8", "numeric", "float4", "float8"}
_TIMES = {"date", "timestamp", "timestamptz"}


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    for added in foreign_keys.added(statement, session):
        for place, column in enumerate(added.key.columns):
            own, parent = added.type_of(place, session), added.parent_type(place, session)
            if own is None or parent is None or own.base == parent.base:
                continue
            # Other pairs are alike (text, varchar), or PostgreSQL refuses them.
            if any({own.base, parent.base} <= family for family in (_NUMBERS, _TIMES)):
                there = f"{added.key.parent}.{added.key.parent_columns[place]}"
                message = f"{added.table}.{column} is {own}, but {there}, which it references, is {parent}"
                yield Hit(message, added.table, column, values={"type": str(parent)})


RULE = Rule(
    id="fk-type-mismatch",
    severity="advice",
    nodes=foreign_keys.NODES,
    what="A foreign key column has another type than the column that it references.",
    why="The narrower of the two runs out first (integer at 2,147,483,647), and comparisons across types may pass by an"
    " index.",
    safe_way="Make {column} of the type {type} while the table is new or empty: ALTER TABLE {table} ALTER COLUMN"
    " {column} TYPE {type}; on a large table add a new column and fill it in batches.",
    check=check,
)
