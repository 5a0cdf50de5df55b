from __future__ import annotations

from collections.abc import Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import burden, names
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.locking.alter_type_locks import change_of
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    for at in burden.subcommands(statement, session, pg.AT_AlterColumnType):
        dropped = {
            item.alter_table_cmd.name for item in at.beside if item.alter_table_cmd.subtype == pg.AT_DropConstraint
        }
        checks = [
            each.name
            for each in at.relation.known_constraints()
            if each.kind == "check" and each.validated and at.command.name in each.columns and each.name not in dropped
        ]
        if checks and not change_of(at.relation, at.command, session).rewrite:
            message = f"Changing the type of {at.name}.{at.command.name} checks every row against {', '.join(checks)}"
            known, values = {"checks": checks}, {"name": names.quoted(checks[0])}
            yield burden.hit(at.name, at.relation, message, at.command.name, known=known, values=values)


RULE = Rule(
    id="alter-type-recheck",
    severity="hazard",
    nodes=("AT_AlterColumnType",),
    what="A change of type that would be instant meets a CHECK on the column.",
    why="No value changes, but PostgreSQL verifies the CHECK again: every row is read under ACCESS EXCLUSIVE, so"
    " readers wait as well.",
    safe_way="ALTER TABLE {table} DROP CONSTRAINT {name}, change the type, and ADD CONSTRAINT {name} ... NOT VALID in"
    " one ALTER TABLE, which reads no row; then ALTER TABLE {table} VALIDATE CONSTRAINT {name} in a transaction of its"
    " own.",
    check=check,
)
