from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engines.risk import names
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement

_MANY = 4


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    node = statement.node
    count = len(node.index_params)
    if count < _MANY or node.unique or node.access_method not in ("", "btree"):
        return
    table = names.of_range(node.relation)
    if not session.relation(table).is_absent:
        yield Hit(f"The index {node.idxname} of {table} has {count} columns".replace("  ", " "), table)


RULE = Rule(
    id="wide-index",
    severity="advice",
    nodes=("index_stmt",),
    what="An index has four or more columns.",
    why="The last ones seldom make a search shorter, but they make every entry longer, and an UPDATE of any of them"
    " has to write all indexes of the table.",
    safe_way="Index the one to three columns of {table} that find the rows; put what is only read into INCLUDE (...).",
    check=check,
)
