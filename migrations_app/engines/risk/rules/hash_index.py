from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engines.risk import names
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    node = statement.node
    table = names.of_range(node.relation)
    if node.access_method == "hash" and not session.relation(table).is_absent:
        column = node.index_params[0].index_elem.name if node.index_params else ""
        yield Hit(f"The index {node.idxname} of {table} is a hash index", table, column or None)


RULE = Rule(
    id="hash-index",
    severity="advice",
    nodes=("index_stmt",),
    what="A hash index is made.",
    why="It finds equal values only: no range, no order, no unique constraint, no second column, no index-only scan. It"
    " pays off for long values of which there are few alike.",
    safe_way="CREATE INDEX CONCURRENTLY ON {table} ({column}), a B-tree, unless a measurement speaks for hash.",
    check=check,
)
