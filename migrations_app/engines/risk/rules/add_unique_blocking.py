from __future__ import annotations

from collections.abc import Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import burden
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    message = "UNIQUE ({columns}) builds an index over every row of {table}, which nobody can use meanwhile"
    return burden.built_keys(statement, session, pg.CONSTR_UNIQUE, suffix="unique", message=message)


RULE = Rule(
    id="add-unique-blocking",
    severity="hazard",
    nodes=("AT_AddConstraint/CONSTR_UNIQUE",),
    what="A UNIQUE constraint is added, and its index is built at once.",
    why="ACCESS EXCLUSIVE is held for the whole build, so readers wait as well.",
    safe_way="Outside of a transaction (autocommit_block): CREATE UNIQUE INDEX CONCURRENTLY {name} ON {table}"
    " ({columns}); then ALTER TABLE {table} ADD CONSTRAINT {name} UNIQUE USING INDEX {name}, which is instant.",
    check=check,
)
