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
    if not burden.is_felt(relation):
        return
    is_empty = relation.facts is not None and relation.facts.is_populated is False
    if node.concurrent:
        yield from _refused(name, relation, session, is_empty=is_empty)
        return
    if is_empty:
        # Nobody can read it yet.
        return
    if node.skip_data:
        message = f"REFRESH ... WITH NO DATA empties {name}, and nobody can read it until it is filled again"
    else:
        message = f"REFRESH MATERIALIZED VIEW {name} stops its readers until its query has run"
    why = "It has no unique index over all rows yet, which CONCURRENTLY needs." if _lacks_key(relation) else ""
    yield burden.hit(name, relation, message, why=why)


def _refused(name: str, relation: Relation, session: Session, *, is_empty: bool) -> Iterator[Hit]:
    """CONCURRENTLY compares the old rows with the new ones by a unique index."""
    if is_empty:
        message = f"REFRESH CONCURRENTLY does not work while {name} was never filled"
        safe_way = "REFRESH MATERIALIZED VIEW {table} the first time: it has no readers that could wait."
        yield Hit(message, name, severity="advice", fails="0A000", safe_way=safe_way)
    elif _lacks_key(relation) and not any(session.relation(t) is relation for t in session.index_tables.values()):
        message = f"REFRESH CONCURRENTLY does not work without a unique index over all rows of {name}"
        yield Hit(message, name, severity="advice", fails="55000")


def _lacks_key(relation: Relation) -> bool:
    """Whether the catalog shows no unique index over plain columns and all rows."""
    indexes = relation.facts.indexes if relation.facts is not None else ()
    usable = any(i.unique and i.valid and not i.predicate and "" not in i.columns for i in indexes)
    return relation.facts is not None and not usable


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
