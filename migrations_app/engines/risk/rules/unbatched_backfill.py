from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engines.risk import burden, extent, names
from migrations_app.engines.risk.findings import Hit, Rule
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
    if node.HasField("where_clause") and extent.is_batch(node.where_clause, relation):
        return
    message = f"{statement.kind} changes many rows of {name} in one statement"
    yield burden.hit(name, relation, message)


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
