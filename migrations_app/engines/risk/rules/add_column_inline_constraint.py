from __future__ import annotations

from collections.abc import Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import burden, new_columns
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.new_columns import NewColumn
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement

_WORK = {
    pg.CONSTR_UNIQUE: ("UNIQUE", "builds an index over every row"),
    pg.CONSTR_PRIMARY: ("PRIMARY KEY", "builds an index over every row"),
    pg.CONSTR_CHECK: ("a CHECK", "reads every row"),
    pg.CONSTR_FOREIGN: ("REFERENCES and a default", "looks up the default for every row"),
}


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    for column in new_columns.of_statement(statement, session):
        for constraint in column.constraints:
            if constraint.contype in _WORK and _works(column, constraint.contype):
                kind, work = _WORK[constraint.contype]
                message = f"Adding {column.table}.{column.name} with {kind} {work}"
                yield burden.hit(column.table, column.relation, message, column.name)


def _works(column: NewColumn, kind: int) -> bool:
    # A foreign key on a column that is NULL everywhere is taken for valid; even DEFAULT NULL makes PostgreSQL look.
    return kind != pg.CONSTR_FOREIGN or column.of_kind(pg.CONSTR_DEFAULT) is not None


RULE = Rule(
    id="add-column-inline-constraint",
    severity="hazard",
    nodes=(
        "AT_AddColumn/CONSTR_UNIQUE",
        "AT_AddColumn/CONSTR_PRIMARY",
        "AT_AddColumn/CONSTR_CHECK",
        "AT_AddColumn/CONSTR_FOREIGN",
    ),
    what="A column is added with a constraint that has to be checked against all rows.",
    why="Adding a column alone is instant, but here ACCESS EXCLUSIVE is held until all rows were read: nobody reads or"
    " writes meanwhile.",
    safe_way="ALTER TABLE {table} ADD COLUMN {column} ... alone. Then, each in a transaction of its own: a UNIQUE by"
    " CREATE UNIQUE INDEX CONCURRENTLY and ADD CONSTRAINT ... USING INDEX; a CHECK or FOREIGN KEY by ADD CONSTRAINT ..."
    " NOT VALID and VALIDATE CONSTRAINT.",
    check=check,
)
