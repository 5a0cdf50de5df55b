from __future__ import annotations

from collections.abc import Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import burden
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    for at in burden.subcommands(statement, session, pg.AT_SetAccessMethod):
        facts = at.relation.facts
        if at.relation.is_partitioned or (facts is not None and facts.access_method == at.command.name):
            continue
        method = at.command.name or "the default"
        yield burden.hit(at.name, at.relation, f"SET ACCESS METHOD {method} writes {at.name} anew")


RULE = Rule(
    id="set-access-method",
    severity="hazard",
    nodes=("AT_SetAccessMethod",),
    what="A table gets another access method.",
    why="ACCESS EXCLUSIVE is held while the table and all its indexes are written anew: nobody reads or writes, and as"
    " much disk again is needed.",
    safe_way="CREATE TABLE {table_name}_new (LIKE {table} INCLUDING ALL) USING the_method; keep it in step by a"
    " trigger, fill it by a chunked backfill, and swap the names in a short transaction. Or make new partitions so.",
    check=check,
)
