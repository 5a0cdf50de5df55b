from __future__ import annotations

from collections.abc import Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import evidence, names
from migrations_app.engines.risk.alter_locks import needs_null_scan
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
        if command.subtype == pg.AT_SetNotNull and needs_null_scan(relation, command.name):
            message = f"SET NOT NULL on {name}.{command.name} scans the table under ACCESS EXCLUSIVE"
            yield Hit(message, name, command.name, evidence.in_words(relation), evidence.of_table(relation))


RULE = Rule(
    id="set-not-null-scan",
    severity="hazard",
    nodes=("AT_SetNotNull",),
    what="SET NOT NULL reads the whole table while nobody can use it.",
    why="ACCESS EXCLUSIVE is held during the scan, so readers wait as well.",
    safe_way="ALTER TABLE {table} ADD CONSTRAINT {column}_not_null CHECK ({column} IS NOT NULL) NOT VALID; in the"
    " next transaction"
    " ALTER TABLE {table} VALIDATE CONSTRAINT {column}_not_null; then SET NOT NULL needs no scan (PostgreSQL 12+);"
    " then drop the CHECK.",
    check=check,
)
