from __future__ import annotations

from collections.abc import Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import burden
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    message = "PRIMARY KEY ({columns}) reads every row of {table} and builds an index; nobody can use it"
    return burden.built_keys(statement, session, pg.CONSTR_PRIMARY, suffix="pkey", message=message)


RULE = Rule(
    id="add-pk-blocking",
    severity="hazard",
    nodes=("AT_AddConstraint/CONSTR_PRIMARY",),
    what="A PRIMARY KEY is added, and its index is built at once.",
    why="ACCESS EXCLUSIVE is held while NULLs are looked for and for the whole build, so readers wait as well.",
    safe_way="First make the columns NOT NULL through a validated CHECK (see set-not-null-scan). Then, outside of a"
    " transaction (autocommit_block): CREATE UNIQUE INDEX CONCURRENTLY {name} ON {table} ({columns}); then"
    " ALTER TABLE {table} ADD CONSTRAINT {name} PRIMARY KEY USING INDEX {name}, which is instant.",
    check=check,
)
