from __future__ import annotations

from collections.abc import Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import burden, names
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.names import Node
from migrations_app.engines.risk.session import Relation, Session
from migrations_app.engines.risk.statements import Statement

_ALL_NULL = (
    "The column is new and NULL in every row, so that nothing is looked up, but PostgreSQL reads all rows to see that."
    " Written beside the column (ADD COLUMN ... REFERENCES ...) the key is taken for valid without a look."
)
_PARTITIONED = (
    "Before PostgreSQL 18 a partitioned table takes no NOT VALID key: add the key to each partition with NOT VALID and"
    " VALIDATE it there, then add it to {table}, which adopts those keys without reading a row; it locks the"
    " referenced table for everybody while it does, briefly, so SET LOCAL lock_timeout = '2s' first."
)
_NOT_VALID_ON_PARTITIONED = 180000


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    for at, constraint in burden.added_constraints(statement, session, pg.CONSTR_FOREIGN):
        if constraint.skip_validation:
            continue
        message = f"FOREIGN KEY {constraint.conname or '(unnamed)'} is checked against every row of {at.name}"
        values = {"name": names.quoted(constraint.conname or "the_name")}
        why = _ALL_NULL if _is_all_null(at.relation, constraint) else ""
        facts = at.relation.facts
        is_bound = session.server_version < _NOT_VALID_ON_PARTITIONED and facts and facts.kind == "partitioned"
        safe_way = _PARTITIONED if is_bound else None
        yield burden.hit(at.name, at.relation, message, why=why, values=values, safe_way=safe_way)


def _is_all_null(relation: Relation, constraint: Node) -> bool:
    """Whether the key stands on a column that the same input added."""
    columns = [relation.column(key.string.sval) for key in constraint.fk_attrs]
    return any(column.origin is None and column.has_values is False for column in columns)


RULE = Rule(
    id="add-fk-validated",
    severity="hazard",
    nodes=("AT_AddConstraint/CONSTR_FOREIGN",),
    what="A FOREIGN KEY is added and all rows are checked at once.",
    why="SHARE ROW EXCLUSIVE is held on both tables while every row is looked up: writes to either wait.",
    safe_way="ALTER TABLE {table} ADD CONSTRAINT {name} ... NOT VALID; then, in a transaction of its own,"
    " ALTER TABLE {table} VALIDATE CONSTRAINT {name}, which lets reads and writes go on.",
    check=check,
)
