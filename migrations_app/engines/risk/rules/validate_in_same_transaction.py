from __future__ import annotations

from collections.abc import Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import burden, names
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.locking.alter_locks import Subcommand
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    for at in burden.subcommands(statement, session, pg.AT_ValidateConstraint):
        if _is_added_here(at, session):
            message = f"{at.command.name} is added to {at.name} and validated in one transaction"
            values = {"name": names.quoted(at.command.name)}
            yield burden.hit(at.name, at.relation, message, values=values)


def _is_added_here(at: Subcommand, session: Session) -> bool:
    """Whether the same transaction, or the same statement, added the constraint."""
    by = session.transaction.noted("constraint", session.qualified(at.name), at.command.name)
    if session.in_transaction and by is not None:
        return True
    added = [getattr(item.alter_table_cmd, "def").constraint.conname for item in at.beside]
    return at.command.name in added


RULE = Rule(
    id="validate-in-same-transaction",
    severity="hazard",
    nodes=("AT_ValidateConstraint",),
    what="NOT VALID and VALIDATE CONSTRAINT stand in one transaction.",
    why="VALIDATE alone lets reads and writes go on, but the strong lock that adding the constraint took is kept until"
    " the commit: the whole scan runs under it, as if NOT VALID had not been there.",
    safe_way="Two revisions, hence two transactions: ADD CONSTRAINT {name} ... NOT VALID in the first,"
    " ALTER TABLE {table} VALIDATE CONSTRAINT {name} alone in the second.",
    check=check,
)
