from __future__ import annotations

from collections.abc import Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import burden
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement

_MEANING = {
    "n": "NOTHING: once it is published, UPDATE and DELETE on it are refused (55000)",
    "f": "FULL: every UPDATE and DELETE writes the whole old row to the WAL, and a subscriber looks for it by all"
    " columns",
    "i": "an index: subscribers and tools that read the changes find rows by other columns than before",
    "d": "DEFAULT, the primary key; without one, published UPDATE and DELETE are refused (55000)",
}


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    for at in burden.subcommands(statement, session, pg.AT_ReplicaIdentity):
        kind = getattr(at.command, "def").replica_identity_stmt.identity_type
        known = at.relation.facts.replica_identity if at.relation.facts else None
        if known == kind and kind != "i":
            continue
        why = ""
        if at.relation.facts and at.relation.facts.publications:
            why = f"It is published by {', '.join(at.relation.facts.publications)}."
        yield Hit(f"The replica identity of {at.name} becomes {_MEANING[kind]}", at.name, why=why)


RULE = Rule(
    id="replica-identity-change",
    severity="hazard",
    nodes=("AT_ReplicaIdentity",),
    what="Changed rows are told to subscribers by other columns.",
    why="Logical replication and change data capture find the row to change by this identity. It takes a brief ACCESS"
    " EXCLUSIVE.",
    safe_way="Keep the primary key as identity (ALTER TABLE {table} REPLICA IDENTITY DEFAULT), or a unique index over"
    " NOT NULL columns (REPLICA IDENTITY USING INDEX ...), and change the subscribers first.",
    check=check,
)
