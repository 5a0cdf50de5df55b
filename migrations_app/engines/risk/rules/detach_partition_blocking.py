from __future__ import annotations

from collections.abc import Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import burden, names
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement

_WITH_DEFAULT = (
    "SET LOCAL lock_timeout = '2s' and try again: CONCURRENTLY is refused while {table} has a default partition, but"
    " the lock itself is brief."
)


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    for at in burden.subcommands(statement, session, pg.AT_DetachPartition):
        partition = getattr(at.command, "def").partition_cmd
        child = names.of_range(partition.name)
        if partition.concurrent or partition.name.relname == "" or not burden.is_felt(session.relation(child)):
            continue
        has_default = at.relation.facts is not None and at.relation.facts.default_partition is not None
        safe_way = _WITH_DEFAULT if has_default else None
        message = f"DETACH PARTITION {child} locks {at.name} with all its partitions for everybody"
        yield burden.hit(at.name, at.relation, message, values={"name": names.quoted(child)}, safe_way=safe_way)


RULE = Rule(
    id="detach-partition-blocking",
    severity="hazard",
    nodes=("AT_DetachPartition",),
    what="A partition is detached under a lock that stops everybody.",
    why="ACCESS EXCLUSIVE is taken on the partitioned table, and waits for it behind every open transaction, with all"
    " others behind it.",
    safe_way="Outside of a transaction (autocommit_block): ALTER TABLE {table} DETACH PARTITION {name} CONCURRENTLY"
    " (PostgreSQL 14+).",
    check=check,
)
