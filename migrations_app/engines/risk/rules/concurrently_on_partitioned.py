from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engines.risk import names
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    node = statement.node
    # Inside a transaction it is refused for that already.
    if not node.concurrent or session.in_transaction:
        return
    if statement.node_name == "index_stmt":
        name = names.of_range(node.relation)
        if session.relation(name).is_partitioned:
            index = names.quoted(node.idxname or "the_index")
            message = f"CREATE INDEX CONCURRENTLY does not work on {name}, which is partitioned"
            yield Hit(message, name, values={"name": index}, fails="0A000")
        return
    for item in node.objects:
        index = names.of_object(item)
        owner = session.index_table(index)
        if owner is not None and owner.is_partitioned:
            message = f"DROP INDEX CONCURRENTLY does not work on {index}, the index of a partitioned table"
            safe_way = "DROP INDEX {name}, with SET LOCAL lock_timeout: it locks {table} and its partitions, briefly."
            values = {"name": names.quoted(index)}
            yield Hit(message, owner.name, values=values, fails="0A000", safe_way=safe_way)


RULE = Rule(
    id="concurrently-on-partitioned",
    severity="hazard",
    nodes=("index_stmt", "drop_stmt/OBJECT_INDEX"),
    what="An index of a partitioned table is made or dropped CONCURRENTLY.",
    why="PostgreSQL refuses it, on 18 still.",
    safe_way="CREATE INDEX {name} ON ONLY {table} (...), which is brief; for each partition, outside of a transaction,"
    " CREATE INDEX CONCURRENTLY and then ALTER INDEX {name} ATTACH PARTITION. With the last one {name} becomes valid.",
    check=check,
)
