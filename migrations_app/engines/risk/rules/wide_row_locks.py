from __future__ import annotations

from collections.abc import Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import burden, names
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.names import Node
from migrations_app.engines.risk.rows.predicates import selects_all
from migrations_app.engines.risk.rows.scope import Scope
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement

_FOR = {
    pg.LCS_FORKEYSHARE: "FOR KEY SHARE",
    pg.LCS_FORSHARE: "FOR SHARE",
    pg.LCS_FORNOKEYUPDATE: "FOR NO KEY UPDATE",
    pg.LCS_FORUPDATE: "FOR UPDATE",
}


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    node = statement.node
    # With LIMIT or FETCH FIRST it is a batch.
    if not node.locking_clause or node.HasField("limit_count") or len(node.from_clause) != 1:
        return
    source = node.from_clause[0]
    if names.node_name(source) != "range_var":
        return
    name = names.of_range(source.range_var)
    relation = session.relation(name)
    if name in statement.ctes or relation.holds_nothing_old or names.is_catalog(name):
        return
    if selects_all(
        node.where_clause if node.HasField("where_clause") else None, _scope(source.range_var, statement, session)
    ):
        how = _FOR[node.locking_clause[0].locking_clause.strength]
        yield burden.hit(name, relation, f"SELECT {how} locks every row of {name} until the transaction ends")


def _scope(source: Node, statement: Statement, session: Session) -> Scope:
    alias = source.alias.aliasname or source.relname
    return Scope(session.relation(names.of_range(source)), frozenset({alias}), session, statement.ctes)


RULE = Rule(
    id="wide-row-locks",
    severity="hazard",
    nodes=("select_stmt",),
    what="SELECT ... FOR UPDATE or FOR SHARE without a condition that selects.",
    why="Each row is written to be locked; whoever wants to change one of them waits until the transaction ends.",
    safe_way="In batches, each in a transaction of its own: SELECT ... FROM {table} WHERE ... ORDER BY the_key LIMIT"
    " 1000 FOR UPDATE SKIP LOCKED.",
    check=check,
)
