from __future__ import annotations

from collections.abc import Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import names
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    node = statement.node
    name = names.of_range(node.relation)
    is_read = node.event == pg.CMD_SELECT
    if node.instead and not node.actions and not is_read and session.relation(name).is_existing:
        yield Hit(f"The rule {node.rulename} discards writes to {name}", name)


RULE = Rule(
    id="rule-discards-writes",
    severity="danger",
    nodes=("rule_stmt",),
    what="A rule makes writes to a table do nothing.",
    why="Programs are told that their rows were written, and they were not.",
    safe_way="Use a trigger that raises an error, or take the privilege away: REVOKE INSERT, UPDATE, DELETE ON"
    " {table} FROM ...",
    check=check,
)
