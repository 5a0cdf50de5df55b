from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engines.risk import burden, names
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Relation, Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    node = statement.node
    name = names.of_range(node.relation)
    relation = session.relation(name)
    if node.concurrent or not burden.is_felt(relation):
        return
    if relation.facts is not None and relation.facts.is_populated is False:
        # Nobody can read it yet.
        return
    if node.skip_data:
        message = f"REFRESH ... WITH NO DATA empties {name}, and nobody can read it until it is filled again"
    else:
        message = f"REFRESH MATERIALIZED VIEW {name} stops its readers until its query has run"
    yield burden.hit(name, relation, message, why=_unique_index(relation))


def _unique_index(relation: Relation) -> str:
    """CONCURRENTLY needs a unique index over plain columns and all rows."""
    if relation.facts is None:
        return ""
    usable = any(i.unique and i.valid and not i.predicate and "" not in i.columns for i in relation.facts.indexes)
    return "" if usable else "It has no unique index over all rows yet, which CONCURRENTLY needs."


RULE = Rule(
    id="refresh-matview-blocking",
    severity="hazard",
    nodes=("refresh_mat_view_stmt",),
    what="A materialized view is refreshed while its readers wait.",
    why="ACCESS EXCLUSIVE is held on it for as long as its query runs.",
    safe_way="CREATE UNIQUE INDEX ON {table} (a_key), once; then REFRESH MATERIALIZED VIEW CONCURRENTLY {table}, which"
    " readers do not feel.",
    check=check,
)
