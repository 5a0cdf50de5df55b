from __future__ import annotations

from collections.abc import Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import burden
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.locking.alter_locks import Subcommand, needs_null_scan
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement

_PROOFS_COUNT = 120000
_OLD = (
    "PostgreSQL before 12 reads the table in any case: keep the rule as ALTER TABLE {table} ADD CONSTRAINT"
    " {column}_not_null CHECK ({column} IS NOT NULL) NOT VALID, and VALIDATE it in a transaction of its own."
)


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    for at in burden.subcommands(statement, session, pg.AT_SetNotNull, pg.AT_AddConstraint):
        is_old = session.server_version < _PROOFS_COUNT
        for column in _columns(at):
            is_proved = not needs_null_scan(at.relation, column, at.beside)
            if is_proved and not (is_old and not at.relation.column(column).not_null):
                continue
            message = f"SET NOT NULL on {at.name}.{column} scans the table under ACCESS EXCLUSIVE"
            yield burden.hit(at.name, at.relation, message, column, safe_way=_OLD if is_old else None)


def _columns(at: Subcommand) -> list[str]:
    """PostgreSQL 18 also has ADD CONSTRAINT ... NOT NULL column, which NOT VALID makes instant."""
    if at.command.subtype == pg.AT_SetNotNull:
        return [at.command.name]
    constraint = getattr(at.command, "def").constraint
    is_checked = constraint.contype == pg.CONSTR_NOTNULL and not constraint.skip_validation
    return burden.column_names(constraint) if is_checked else []


RULE = Rule(
    id="set-not-null-scan",
    severity="hazard",
    nodes=("AT_SetNotNull", "AT_AddConstraint/CONSTR_NOTNULL"),
    what="SET NOT NULL reads the whole table while nobody can use it.",
    why="ACCESS EXCLUSIVE is held during the scan, so readers wait as well.",
    safe_way="ALTER TABLE {table} ADD CONSTRAINT {column}_not_null CHECK ({column} IS NOT NULL) NOT VALID; in the"
    " next transaction ALTER TABLE {table} VALIDATE CONSTRAINT {column}_not_null; then SET NOT NULL needs no scan"
    " (PostgreSQL 12+); then drop the CHECK.",
    check=check,
)
