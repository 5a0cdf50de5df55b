from __future__ import annotations

from collections.abc import Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import burden
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.locking.alter_locks import Subcommand
from migrations_app.engines.risk.session import Relation, Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    for at in burden.subcommands(statement, session, pg.AT_SetNotNull, pg.AT_AddConstraint):
        key = f"{RULE.id} {session.qualified(at.name)}"
        found = _restriction(at)
        if found and key not in session.told:
            session.told.add(key)
            yield Hit(f"Writes to {at.name} are refused from now on when {found}", at.name)


def _restriction(at: Subcommand) -> str:
    """What is forbidden from now on; empty when nothing new is."""
    if at.command.subtype == pg.AT_SetNotNull:
        column = at.relation.column(at.command.name)
        is_new = column.origin is None or column.not_null or _is_proven(at.relation, at.command.name)
        return "" if is_new else f"{at.command.name} is NULL"
    constraint = getattr(at.command, "def").constraint
    if constraint.contype == pg.CONSTR_CHECK:
        return f"they break the CHECK{burden.constraint_name(constraint)}"
    if constraint.contype == pg.CONSTR_UNIQUE and not constraint.indexname:
        columns = burden.column_names(constraint)
        is_new = any(at.relation.column(name).origin is None for name in columns)
        return "" if is_new else f"they repeat a value of {', '.join(columns)}"
    return ""


def _is_proven(relation: Relation, column: str) -> bool:
    """Whether a CHECK (column IS NOT NULL) has refused NULL before."""
    test = f"{column} IS NOT NULL"
    return any(
        key.kind == "check" and key.columns == (column,) and test in key.definition.replace('"', "")
        for key in relation.known_constraints()
    )


RULE = Rule(
    id="write-restriction",
    severity="advice",
    nodes=("AT_SetNotNull", "AT_AddConstraint/CONSTR_CHECK", "AT_AddConstraint/CONSTR_UNIQUE"),
    what="Writes that were allowed are refused from now on.",
    why="A new condition counts for every INSERT and UPDATE at once, NOT VALID too; an UPDATE of an old row that breaks"
    " it is refused even when it changes something else. Old code that is still running does not know of it.",
    safe_way="First release code that keeps to the condition everywhere, mend the rows of {table} that break it, and"
    " only then add it.",
    check=check,
)
