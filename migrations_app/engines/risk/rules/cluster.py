from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engines.risk import burden, names
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    node = statement.node
    if not node.HasField("relation"):
        yield Hit("CLUSTER rewrites every table that was clustered before, one after the other")
        return
    name = names.of_range(node.relation)
    relation = session.relation(name)
    if burden.is_felt(relation):
        yield burden.hit(name, relation, f"CLUSTER writes {name} anew in the order of an index")


RULE = Rule(
    id="cluster",
    severity="hazard",
    nodes=("cluster_stmt",),
    what="CLUSTER rewrites a table.",
    why="ACCESS EXCLUSIVE is held while the table and all its indexes are written anew: nobody reads or writes, and as"
    " much disk again is needed. Rows written later are not kept in that order.",
    safe_way="Use pg_repack or pg_squeeze, which copy {table} beside its users and lock it only to swap; or do it in a"
    " maintenance window.",
    check=check,
)
