from __future__ import annotations

from collections.abc import Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import burden
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    for at, constraint in burden.added_constraints(statement, session, pg.CONSTR_EXCLUSION):
        name = burden.constraint_name(constraint)
        message = f"EXCLUDE{name} builds its index and compares every row of {at.name}, which nobody can use meanwhile"
        yield burden.hit(at.name, at.relation, message)


RULE = Rule(
    id="add-exclusion",
    severity="hazard",
    nodes=("AT_AddConstraint/CONSTR_EXCLUSION",),
    what="An EXCLUDE constraint is added.",
    why="ACCESS EXCLUSIVE is held while the index is built and every row is compared; PostgreSQL has no NOT VALID and"
    " no CONCURRENTLY for it.",
    safe_way="CREATE TABLE {table_name}_new (LIKE {table} INCLUDING ALL) with the constraint; keep it in step by a"
    " trigger, fill it by a chunked backfill, and swap the names in a short transaction. Or do it in a maintenance"
    " window.",
    check=check,
)
