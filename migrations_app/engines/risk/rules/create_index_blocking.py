from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engines.risk import evidence, names
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    node = statement.node
    name = names.of_range(node.relation)
    relation = session.relation(name)
    if node.concurrent or relation.holds_nothing_old:
        return
    index = f" {node.idxname}" if node.idxname else ""
    message = f"CREATE INDEX{index} blocks all writes to {name} until it is built"
    why, known = evidence.in_words(relation), evidence.of_table(relation)
    yield Hit(message, name, why=why, evidence=known, values={"name": names.quoted(node.idxname or "the_index")})


RULE = Rule(
    id="create-index-blocking",
    severity="hazard",
    nodes=("index_stmt",),
    what="An index is built while writers wait.",
    why="SHARE is held for the whole build: every INSERT, UPDATE and DELETE on the table waits for it.",
    safe_way="Outside of a transaction (op.get_context().autocommit_block()): CREATE INDEX CONCURRENTLY {name} ON"
    " {table} (...);"
    " afterwards look that pg_index.indisvalid is true.",
    check=check,
)
