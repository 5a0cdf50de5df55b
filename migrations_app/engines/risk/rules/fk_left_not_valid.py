from __future__ import annotations

from collections.abc import Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import foreign_keys, look_ahead, names
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    for added in foreign_keys.added(statement, session):
        constraint = added.key.definition
        if not constraint.skip_validation or added.made is not None:
            continue
        if _is_later(constraint.conname, added.table, statement, session):
            continue
        message = f"The foreign key {added.key.name} of {added.table} stays NOT VALID"
        yield Hit(message, added.table, values={"name": names.quoted(constraint.conname or "the_name")})


def _is_later(name: str, table: str, statement: Statement, session: Session) -> bool:
    """Whether this input, or a later revision, validates it."""
    if not name:
        return False
    for later in look_ahead.after(table, statement, session):
        if any(command.name == name for command in look_ahead.commands(later, pg.AT_ValidateConstraint)):
            return True
    texts = (text for revision in session.upcoming for text in revision.sql)
    return any(name in text and "VALIDATE" in text.upper() for text in texts)


RULE = Rule(
    id="fk-left-not-valid",
    severity="advice",
    nodes=foreign_keys.NODES,
    what="A foreign key is added NOT VALID and nothing validates it.",
    why="New rows are checked, old ones are not: rows that point nowhere stay, and the planner does not rely on it.",
    safe_way="In a later revision: ALTER TABLE {table} VALIDATE CONSTRAINT {name}, which lets reads and writes go on.",
    check=check,
)
