from __future__ import annotations

from collections.abc import Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import names
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session, known_columns
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    name = names.of_range(statement.node.relation)
    relation = session.relation(name)
    if not relation.is_existing:
        return
    for item in statement.node.cmds:
        command = item.alter_table_cmd
        if command.subtype != pg.AT_DropIdentity:
            continue
        column = relation.column(command.name)
        known = known_columns(relation).get(column.origin or "")
        if column.origin is None or (known is not None and not known.identity):
            continue
        yield Hit(f"{name}.{command.name} no longer numbers its rows, and its counter is gone", name, command.name)


RULE = Rule(
    id="drop-identity",
    severity="hazard",
    nodes=("AT_DropIdentity",),
    what="A column is no longer an identity column; the sequence behind it is dropped.",
    why="An INSERT that leaves the column out fails from then on, and where the counter stood is lost.",
    safe_way="First note where it stands (SELECT last_value FROM the sequence named by"
    " pg_get_serial_sequence('{table}', '{column}')), and release code that sets {column} itself; if a sequence of"
    " your own is to take over, set it past max({column}) and make it the default in the same transaction.",
    check=check,
)
