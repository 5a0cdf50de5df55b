from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engines.risk import burden, evidence
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement

_LARGE_BYTES = 1024**3


def check(_statement: Statement, session: Session) -> Iterator[Hit]:
    for touch in session.touches:
        if not touch.rewrite:
            continue
        relation = session.relation(touch.name)
        size = relation.facts.bytes if relation.facts is not None else None
        if size is not None and size >= _LARGE_BYTES and burden.is_felt(relation):
            message = f"Writing {touch.name} anew needs about {evidence.in_bytes(size)} of free disk until the commit"
            yield burden.hit(touch.name, relation, message)


RULE = Rule(
    id="rewrite-headroom",
    severity="hazard",
    nodes=("@lock",),
    what="A table of 1 GB or more is rewritten.",
    why="Old and new files stand beside each other until the commit, and about as much again goes to the write-ahead"
    " log: the disk may fill up, which stops the whole server, and replicas fall behind.",
    safe_way="See that there is free disk of twice the size of {table}, and that the replicas' lag is watched; or avoid"
    " the rewrite by a new column or table that a chunked backfill fills.",
    check=check,
)
