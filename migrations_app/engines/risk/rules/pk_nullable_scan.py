from __future__ import annotations

from collections.abc import Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import burden, names
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.locking.alter_locks import Subcommand, needs_null_scan
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    for at, constraint in burden.added_constraints(statement, session, pg.CONSTR_PRIMARY):
        for column in _index_columns(at, constraint.indexname) if constraint.indexname else ():
            if needs_null_scan(at.relation, column, at.beside):
                message = f"PRIMARY KEY USING INDEX makes {at.name}.{column} NOT NULL, and reads every row for that"
                yield burden.hit(at.name, at.relation, message, column)


def _index_columns(at: Subcommand, index: str) -> list[str]:
    """The columns of the index, from the catalog or from where this input makes it; none when nobody knows."""
    facts = at.relation.facts
    known = next((each for each in facts.indexes if each.name == index), None) if facts else None
    if known is not None:
        return [column for column in known.columns if column]
    for statement in at.session.statements:
        node = statement.node
        if statement.node_name != "index_stmt" or node.idxname != index:
            continue
        if at.session.qualified(names.of_range(node.relation)) == at.session.qualified(at.name):
            return [item.index_elem.name for item in node.index_params if item.index_elem.name]
    return []


RULE = Rule(
    id="pk-nullable-scan",
    severity="hazard",
    nodes=("AT_AddConstraint/CONSTR_PRIMARY",),
    what="A PRIMARY KEY takes over an index of a column that may be NULL.",
    why="USING INDEX spares the build, but the key implies SET NOT NULL: every row is read under ACCESS EXCLUSIVE, so"
    " readers wait as well.",
    safe_way="Before it: ALTER TABLE {table} ADD CONSTRAINT {column}_not_null CHECK ({column} IS NOT NULL) NOT VALID;"
    " in the next transaction ALTER TABLE {table} VALIDATE CONSTRAINT {column}_not_null. Then the key needs no scan"
    " (PostgreSQL 12+); then drop the CHECK.",
    check=check,
)
