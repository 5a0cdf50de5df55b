from __future__ import annotations

from collections.abc import Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import burden, names
from migrations_app.engines.risk.facts import IndexFacts
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Relation, Session
from migrations_app.engines.risk.statements import Statement

_STANDS = "It takes no part in any query, yet every write has to maintain it, and a unique one guarantees nothing."


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    if statement.node_name == "alter_table_stmt":
        yield from _taken_over(statement, session)
        return
    node = statement.node
    name = names.of_range(node.relation)
    relation = session.relation(name)
    values = {"name": names.quoted(node.idxname or "the_index")}
    if relation.facts is None:
        if node.concurrent and node.if_not_exists and burden.is_felt(relation):
            message = f"If an earlier try left {node.idxname} INVALID, IF NOT EXISTS leaves it so"
            yield Hit(message, name, values=values, severity="advice")
        return
    if not _is_left_invalid(relation, node.idxname, session):
        return
    if node.if_not_exists:
        message = f"The index {node.idxname} of {name} is there and INVALID: IF NOT EXISTS leaves it so"
        yield burden.hit(name, relation, message, why=_STANDS, values=values, severity="hazard")
    else:
        message = f"The index {node.idxname} of {name} is there already, INVALID: an earlier build broke off"
        yield burden.hit(name, relation, message, why=_STANDS, values=values, fails="42P07")


def _taken_over(statement: Statement, session: Session) -> Iterator[Hit]:
    for at, constraint in burden.added_constraints(statement, session, pg.CONSTR_UNIQUE, pg.CONSTR_PRIMARY):
        if constraint.indexname and _is_left_invalid(at.relation, constraint.indexname, session):
            message = f"The index {constraint.indexname} of {at.name} is INVALID: no constraint can use it"
            values = {"name": names.quoted(constraint.indexname)}
            yield burden.hit(at.name, at.relation, message, why=_STANDS, values=values, fails="55000")


def _is_left_invalid(relation: Relation, index: str, session: Session) -> bool:
    """Whether the catalog shows it INVALID and nothing in the input has done away with it."""
    known = _known(relation, index)
    if known is None or known.valid or session.made_here("index", index):
        return False
    return not any(_repairs(earlier, index) for earlier in session.statements)


def _known(relation: Relation, index: str) -> IndexFacts | None:
    return next((each for each in relation.facts.indexes if each.name == index), None) if relation.facts else None


def _repairs(statement: Statement, index: str) -> bool:
    if statement.node_name == "drop_stmt":
        return any(names.bare(names.of_object(item)) == index for item in statement.node.objects)
    return statement.node_name == "reindex_stmt"


RULE = Rule(
    id="invalid-index-leftover",
    severity="hazard",
    nodes=("index_stmt", "AT_AddConstraint/CONSTR_UNIQUE", "AT_AddConstraint/CONSTR_PRIMARY"),
    what="An index that a failed CREATE INDEX CONCURRENTLY left INVALID is in the way.",
    why="A concurrent build that fails leaves its index behind, INVALID, and nothing repairs it by itself.",
    safe_way="Outside of a transaction (autocommit_block): DROP INDEX CONCURRENTLY IF EXISTS {name}; then build it"
    " again, and look that pg_index.indisvalid is true.",
    check=check,
)
