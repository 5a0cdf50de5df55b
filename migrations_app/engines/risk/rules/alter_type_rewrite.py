from __future__ import annotations

from collections.abc import Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import evidence, names
from migrations_app.engines.risk.alter_locks import Subcommand, of_subcommand
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    name = names.of_range(statement.node.relation)
    relation = session.relation(name)
    if relation.holds_nothing_old:
        return
    for item in statement.node.cmds:
        command = item.alter_table_cmd
        if command.subtype != pg.AT_AlterColumnType:
            continue
        if not any(touch.rewrite for touch in of_subcommand(Subcommand(name, relation, command, session))):
            continue
        message = f"Changing the type of {name}.{command.name} rewrites the table"
        yield Hit(message, name, command.name, evidence.in_words(relation), evidence.of_table(relation))


RULE = Rule(
    id="alter-type-rewrite",
    severity="hazard",
    nodes=("AT_AlterColumnType",),
    what="A change of type writes the whole table and its indexes anew.",
    why="ACCESS EXCLUSIVE is held for as long as that takes: nobody reads or writes; it needs as much free disk again.",
    safe_way="ALTER TABLE {table} ADD COLUMN {column}_new of the new type; keep both in step by a trigger, fill it"
    " by a chunked"
    " backfill, and swap the names in a short transaction.",
    check=check,
)
