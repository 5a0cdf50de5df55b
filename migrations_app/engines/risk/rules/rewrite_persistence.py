from __future__ import annotations

from collections.abc import Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import burden
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    for at in burden.subcommands(statement, session, pg.AT_SetLogged):
        if at.relation.facts is None or at.relation.facts.persistence == "u":
            yield burden.hit(at.name, at.relation, f"SET LOGGED writes {at.name} anew, and all of it to the log")


RULE = Rule(
    id="rewrite-persistence",
    severity="hazard",
    nodes=("AT_SetLogged",),
    what="An unlogged table becomes a permanent one.",
    why="ACCESS EXCLUSIVE is held while the table and all its indexes are written anew, and the whole of it goes to the"
    " write-ahead log at once: replicas fall behind by as much.",
    safe_way="CREATE TABLE {table_name}_new (LIKE {table} INCLUDING ALL), which is logged; fill it by a chunked"
    " backfill, and swap the names in a short transaction.",
    check=check,
)
