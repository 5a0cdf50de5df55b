from __future__ import annotations

from collections.abc import Iterable, Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import evidence, names
from migrations_app.engines.risk.facts import Question
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.names import Node, inner
from migrations_app.engines.risk.rows import asking, expressions, sweeps
from migrations_app.engines.risk.rows.predicates import selects_all
from migrations_app.engines.risk.rows.scope import Scope
from migrations_app.engines.risk.session import Relation, Session
from migrations_app.engines.risk.statements import Statement

_MOST_ROWS = 200
"""Rows of one VALUES that are looked up."""


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    node = statement.node
    lost = _lost(statement, session)
    if not lost:
        return
    name = names.of_range(node.relation)
    relation = session.relation(name)
    known = evidence.of_table(relation) | {"columns": lost}
    query = inner(node.select_stmt)
    if not query.values_lists:
        message = f"INSERT ... ON CONFLICT DO UPDATE overwrites every row of {name} that the query meets"
        yield Hit(message, name, lost[0], evidence.in_words(relation), known)
        return
    asked = _meeting(statement, relation)
    meets = asking.answer(session, asked)
    if meets is not False:
        why = "Such rows are there now." if meets else "Whether such rows are there is not known."
        message = f"INSERT ... ON CONFLICT DO UPDATE overwrites {', '.join(lost)} of rows of {name} with the same key"
        yield Hit(message, name, lost[0], why, known)


def ask(statement: Statement, session: Session) -> Iterable[Question | None]:
    if _lost(statement, session):
        yield _meeting(statement, session.relation(names.of_range(statement.node.relation)))


def _lost(statement: Statement, session: Session) -> list[str]:
    """The columns that the upsert overwrites in existing rows; empty when it fills or chooses."""
    node = statement.node
    conflict = node.on_conflict_clause
    if not node.HasField("on_conflict_clause") or conflict.action != pg.ONCONFLICT_UPDATE:
        return []
    name = names.of_range(node.relation)
    relation = session.relation(name)
    if relation.holds_nothing_old or not node.HasField("select_stmt"):
        return []
    alias = node.relation.alias.aliasname or node.relation.relname
    where = conflict.where_clause if conflict.HasField("where_clause") else None
    query = inner(node.select_stmt)
    # A query that chooses its rows, and a condition on those that are met, say which ones are meant.
    if query.HasField("where_clause") or query.HasField("limit_count"):
        return []
    if not selects_all(where, Scope(relation, frozenset({alias}), session, statement.ctes)):
        return []
    keys = {item.index_elem.name for item in conflict.infer.index_elems}
    assigned = [item.res_target for item in conflict.target_list]
    return [each.name for each in assigned if each.name not in keys and sweeps.overwrites(each, relation, alias)]


def _meeting(statement: Statement, relation: Relation) -> Question | None:
    """Whether a row with one of the written keys is there."""
    node = statement.node
    query, conflict = inner(node.select_stmt), node.on_conflict_clause
    keys = [item.index_elem.name for item in conflict.infer.index_elems]
    columns = [item.res_target.name for item in node.cols] or list(relation.facts.columns if relation.facts else ())
    known = asking.original(relation, keys)
    if not known or not all(key in columns for key in keys) or not 0 < len(query.values_lists) <= _MOST_ROWS:
        return None
    places = [columns.index(key) for key in keys]
    rows = [
        [row.list.items[place] for place in places] for row in query.values_lists if max(places) < len(row.list.items)
    ]
    if len(rows) != len(query.values_lists) or not all(_is_constant(value) for row in rows for value in row):
        return None
    tuples = ", ".join("(" + ", ".join(expressions.spelled(value) for value in row) + ")" for row in rows)
    return asking.any_row(relation, f"({', '.join(known)}) IN ({tuples})")


def _is_constant(value: Node) -> bool:
    return expressions.is_harmless(value) and not expressions.columns_of(value)


RULE = Rule(
    id="upsert-overwrites",
    severity="danger",
    nodes=("insert_stmt",),
    what="An upsert overwrites values of existing rows.",
    why="Every row that meets its key is replaced; what stood in it cannot be brought back.",
    safe_way="Say which rows may change: ON CONFLICT (...) DO UPDATE SET ... WHERE {table}.x IS DISTINCT FROM"
    " excluded.x; or DO NOTHING; or load into a table of its own and compare first.",
    check=check,
    destroys=True,
    ask=ask,
)
