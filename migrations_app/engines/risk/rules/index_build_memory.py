from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engines.risk import burden, evidence, names
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement

_HUNGRY = {"gin", "gist", "spgist", "hnsw", "ivfflat"}
_LARGE_BYTES = 1_000_000_000


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    node = statement.node
    if node.access_method not in _HUNGRY or session.setting("maintenance_work_mem") is not None:
        return
    table = names.of_range(node.relation)
    relation = session.relation(table)
    facts = relation.facts
    if not burden.is_felt(relation) or facts is None or (facts.bytes or 0) < _LARGE_BYTES:
        return
    message = (
        f"The {node.access_method} index {node.idxname} is built over {evidence.in_bytes(facts.bytes or 0)} of {table}"
    )
    yield Hit(message, table, evidence=evidence.of_table(relation))


RULE = Rule(
    id="index-build-memory",
    severity="advice",
    nodes=("index_stmt",),
    what="A large index is built whose kind needs much memory.",
    why="GIN, GiST and vector indexes are built many times more slowly once their working set does not fit into"
    " maintenance_work_mem (64 MB unless set), and SHARE or the build's long snapshot last as long.",
    safe_way="SET maintenance_work_mem = '2GB' before it, as far as the server's memory allows, RESET it after, and"
    " build CONCURRENTLY in a quiet hour on {table}.",
    check=check,
)
