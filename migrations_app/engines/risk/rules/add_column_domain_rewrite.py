from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engines.risk import burden, new_columns
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    for column in new_columns.of_statement(statement, session):
        domain = column.domain
        if domain is not None and (domain.checks or domain.not_null):
            message = f"Adding {column.table}.{column.name} rewrites the table, because its domain has constraints"
            yield burden.hit(column.table, column.relation, message, column.name, values={"base": domain.base})


RULE = Rule(
    id="add-column-domain-rewrite",
    severity="hazard",
    nodes=("AT_AddColumn",),
    what="A column of a domain with a CHECK or NOT NULL is added, be it without a default.",
    why="PostgreSQL looks at the constraint for every row and writes the whole table anew, under ACCESS EXCLUSIVE:"
    " nobody reads or writes meanwhile.",
    safe_way="ALTER TABLE {table} ADD COLUMN {column} {base}; with the domain's condition as a CHECK of the table:"
    " ALTER TABLE {table} ADD CONSTRAINT {column}_valid CHECK (...) NOT VALID; then VALIDATE CONSTRAINT in a"
    " transaction of its own.",
    check=check,
)
