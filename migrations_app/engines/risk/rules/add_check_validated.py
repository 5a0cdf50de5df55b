from __future__ import annotations

from collections.abc import Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import burden, names
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    for at, constraint in burden.added_constraints(statement, session, pg.CONSTR_CHECK):
        if not constraint.skip_validation:
            message = f"CHECK {constraint.conname or '(unnamed)'} is checked against every row of {at.name}"
            values = {"name": names.quoted(constraint.conname or "the_name")}
            yield burden.hit(at.name, at.relation, message, values=values)


RULE = Rule(
    id="add-check-validated",
    severity="hazard",
    nodes=("AT_AddConstraint/CONSTR_CHECK",),
    what="A CHECK is added and all rows are checked at once.",
    why="ACCESS EXCLUSIVE is held while every row is read, so readers wait as well.",
    safe_way="ALTER TABLE {table} ADD CONSTRAINT {name} ... NOT VALID; then, in a transaction of its own,"
    " ALTER TABLE {table} VALIDATE CONSTRAINT {name}, which lets reads and writes go on.",
    check=check,
)
