from __future__ import annotations

from collections.abc import Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import evidence, names
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    name = names.of_range(statement.node.relation)
    relation = session.relation(name)
    if relation.holds_nothing_old:
        return
    for item in statement.node.cmds:
        constraint = getattr(item.alter_table_cmd, "def").constraint
        if item.alter_table_cmd.subtype != pg.AT_AddConstraint or constraint.contype != pg.CONSTR_CHECK:
            continue
        if constraint.skip_validation:
            continue
        message = f"CHECK {constraint.conname or '(unnamed)'} is checked against every row of {name}"
        values = {"name": names.quoted(constraint.conname or "the_name")}
        yield Hit(message, name, None, evidence.in_words(relation), evidence.of_table(relation), values=values)


RULE = Rule(
    id="add-check-validated",
    severity="hazard",
    nodes=("AT_AddConstraint",),
    what="A CHECK is added and all rows are checked at once.",
    why="ACCESS EXCLUSIVE is held while every row is read, so readers wait as well.",
    safe_way="ALTER TABLE {table} ADD CONSTRAINT {name} ... NOT VALID; then, in a transaction of its own,"
    " ALTER TABLE {table} VALIDATE CONSTRAINT {name}, which lets reads and writes go on.",
    check=check,
)
