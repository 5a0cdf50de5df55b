from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import burden
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.locking.alter_locks import Subcommand
from migrations_app.engines.risk.locking.alter_type_locks import change_of
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    for at in burden.subcommands(statement, session, pg.AT_AlterColumnType):
        if at.relation.facts is not None and _rebuilds(at):
            message = f"Changing the type of {at.name}.{at.command.name} keeps the rows, but builds indexes on it anew"
            yield burden.hit(at.name, at.relation, message, at.command.name)


def _rebuilds(at: Subcommand) -> bool:
    """Whether rows are read for an index, apart from what a CHECK makes PostgreSQL read."""
    checks = {each.name: None for each in at.relation.known_constraints() if each.kind == "check"}
    unchecked = replace(at.relation, constraints={**at.relation.constraints, **checks})
    change = change_of(unchecked, at.command, at.session)
    return change.scan and not change.rewrite


RULE = Rule(
    id="alter-type-index-rebuild",
    severity="hazard",
    nodes=("AT_AlterColumnType",),
    what="A change of type that keeps the rows makes PostgreSQL build indexes of the column anew.",
    why="Another collation, another order of values, or an index with an expression or a predicate: ACCESS EXCLUSIVE is"
    " held while every row is read and the index is built, so readers wait as well.",
    safe_way="ALTER TABLE {table} ADD COLUMN {column}_new of the new type; fill it by a chunked backfill; CREATE INDEX"
    " CONCURRENTLY on it; swap the names in a short transaction. For an index with an expression: DROP INDEX"
    " CONCURRENTLY before the change, which is then instant, and CREATE INDEX CONCURRENTLY after it.",
    check=check,
)
