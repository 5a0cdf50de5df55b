from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engines.risk import burden, names
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Relation, Session
from migrations_app.engines.risk.statements import Statement

_PARTITIONED = (
    "CREATE INDEX {name} ON ONLY {table} (...), which is brief and leaves it invalid; for each partition, outside of a"
    " transaction, CREATE INDEX CONCURRENTLY and then ALTER INDEX {name} ATTACH PARTITION. With the last one {name}"
    " becomes valid."
)


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    node = statement.node
    name = names.of_range(node.relation)
    relation = session.relation(name)
    if node.concurrent or not burden.is_felt(relation) or _does_nothing(statement, relation):
        return
    index = f" {node.idxname}" if node.idxname else ""
    partitions = relation.facts.partitions if relation.facts and relation.facts.kind == "partitioned" else ()
    also = f" and its {len(partitions)} partitions" if partitions else ""
    message = f"CREATE INDEX{index} blocks all writes to {name}{also} until it is built"
    values = {"name": names.quoted(node.idxname or "the_index")}
    yield burden.hit(name, relation, message, values=values, safe_way=_PARTITIONED if partitions else None)


def _does_nothing(statement: Statement, relation: Relation) -> bool:
    """Whether no row is read: ON ONLY a partitioned table, or IF NOT EXISTS over an index that is there."""
    node, facts = statement.node, relation.facts
    if not node.relation.inh and (facts is None or facts.kind == "partitioned"):
        return True
    return bool(node.if_not_exists and facts and any(index.name == node.idxname for index in facts.indexes))


RULE = Rule(
    id="create-index-blocking",
    severity="hazard",
    nodes=("index_stmt",),
    what="An index is built while writers wait.",
    why="SHARE is held for the whole build: every INSERT, UPDATE and DELETE on the table waits for it.",
    safe_way="Outside of a transaction (op.get_context().autocommit_block()): CREATE INDEX CONCURRENTLY {name} ON"
    " {table} (...); afterwards look that pg_index.indisvalid is true.",
    check=check,
)
