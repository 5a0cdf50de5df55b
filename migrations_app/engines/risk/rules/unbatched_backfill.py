from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engines.risk import burden, names
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.rows import extent
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    if session.is_chunked:
        return
    node = statement.node
    name = names.of_range(node.relation)
    relation = session.relation(name)
    is_cte = not node.relation.schemaname and name in statement.ctes
    if names.is_catalog(name) or not relation.is_existing or relation.is_view or is_cte:
        return
    if not extent.may_be_many(relation):
        return
    how = "in one statement"
    if node.HasField("where_clause") and extent.is_batch(node.where_clause, relation):
        if extent.is_point(node.where_clause, relation) or not _follows_another(statement, name, session):
            return
        how = "in batches that all share one transaction"
    message = f"{statement.kind} changes many rows of {name} {how}"
    yield burden.hit(name, relation, message)


def _follows_another(statement: Statement, name: str, session: Session) -> bool:
    """Whether the same transaction has changed a batch of the same table before: the second one tells of them all."""
    key = session.qualified(name)
    first = session.transaction.noted("batch", key)
    if first is None and session.in_transaction:
        session.transaction.note("batch", key, by=statement.index)
    if first in (None, statement.index) or session.transaction.noted("batches", key) is not None:
        return False
    session.transaction.note("batches", key, by=statement.index)
    return True


RULE = Rule(
    id="unbatched-backfill",
    severity="hazard",
    nodes=("update_stmt", "delete_stmt"),
    what="Many rows are changed by one statement, or in one transaction.",
    why="Every changed row stays locked until the commit, replicas fall behind by as much WAL at once, vacuum cannot"
    " clean up meanwhile, and when it fails all of it is done again.",
    safe_way="Change {table} in chunks of some thousand rows by its key, each in its own transaction: declare it as a"
    " backfill (tidegate_backfill = {{'table': ..., 'set': ..., 'where': ...}} in the revision), which also waits for"
    " the replicas. A loop inside one revision is still one transaction.",
    check=check,
)
