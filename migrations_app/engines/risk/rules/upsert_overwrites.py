from __future__ import annotations

from collections.abc import Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import evidence, names
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.names import inner
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    node = statement.node
    conflict = node.on_conflict_clause
    if not node.HasField("on_conflict_clause") or conflict.action != pg.ONCONFLICT_UPDATE:
        return
    name = names.of_range(node.relation)
    relation = session.relation(name)
    query = inner(node.select_stmt) if node.HasField("select_stmt") else None
    # Rows that are written out (VALUES) are few and can be read by a person; a filtered query chooses.
    if query is None or query.values_lists or not query.from_clause or relation.holds_nothing_old:
        return
    if query.HasField("where_clause") or conflict.HasField("where_clause") or query.HasField("limit_count"):
        return
    message = f"INSERT ... ON CONFLICT DO UPDATE overwrites every row of {name} that the query meets"
    yield Hit(message, name, why=evidence.in_words(relation), evidence=evidence.of_table(relation))


RULE = Rule(
    id="upsert-overwrites",
    severity="danger",
    nodes=("insert_stmt",),
    what="An upsert overwrites existing rows with the result of a whole query.",
    why="Every row that meets its key is replaced; what stood in it cannot be brought back.",
    safe_way="Say which rows may change: ON CONFLICT (...) DO UPDATE SET ... WHERE {table}.x IS DISTINCT FROM"
    " excluded.x; or"
    " DO NOTHING; or load into a table of its own and compare first.",
    check=check,
    destroys=True,
)
