from __future__ import annotations

from collections.abc import Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import burden, names
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    for at, constraint in burden.added_constraints(statement, session, pg.CONSTR_UNIQUE):
        if not constraint.indexname:
            keys = burden.column_names(constraint)
            columns = ", ".join(map(names.quoted, keys))
            name = constraint.conname or f"{names.bare(at.name)}_unique"
            message = f"UNIQUE ({columns}) builds an index over every row of {at.name}, which nobody can use meanwhile"
            values = {"name": names.quoted(name), "columns": columns}
            fails = "0A000" if burden.lacks_partition_key(at.relation, keys) else None
            yield burden.hit(at.name, at.relation, message, values=values, fails=fails)


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
