from __future__ import annotations

from collections.abc import Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import bridges, mentions, names
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement

_SHOWN = 160
"""So much of a statement is told."""


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    if session.facts is None or not session.facts.queries:
        return
    node = statement.node
    name = names.of_range(node.relation)
    if statement.node_name == "rename_stmt":
        if not bridges.hides_column(name, node.subname, statement, session):
            yield from _used(name, node.subname, "is renamed", session)
        return
    for item in node.cmds:
        if item.alter_table_cmd.subtype == pg.AT_DropColumn:
            yield from _used(name, item.alter_table_cmd.name, "is dropped", session)


def _used(name: str, column: str, how: str, session: Session) -> Iterator[Hit]:
    relation = session.relation(name)
    origin = relation.column(column).origin
    if relation.facts is None or not relation.is_existing or origin is None:
        return
    if found := mentions.queries(relation.facts, origin, session):
        calls = sum(count for _, count in found)
        text = " ".join(found[0][0].split())
        shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
        message = f"{name}.{column} {how}, and programs use it: {len(found)} kinds of statements, {calls:,} calls"
        evidence = {"statements": len(found), "calls": calls, "example": shown}
        yield Hit(message, name, column, f"Most often called: {shown}", evidence)


RULE = Rule(
    id="column-in-use",
    severity="hazard",
    nodes=("AT_DropColumn", "rename_stmt/OBJECT_COLUMN"),
    what="Statements that programs sent to this server name a column that is dropped or renamed.",
    why="pg_stat_statements has seen them since its statistics were last reset; they fail once the column is gone.",
    safe_way="Find and change the code that sends them; then SELECT pg_stat_statements_reset(), wait for as long as the"
    " rarest job takes to come round, and look again for {column} in pg_stat_statements before you change {table}.",
    check=check,
)
