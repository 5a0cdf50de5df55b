from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engines.risk import burden, names
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.rows import extent
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement

_CHANGES = ("update_stmt", "delete_stmt", "merge_stmt")


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    if statement.node_name not in _CHANGES:
        return
    node = statement.node
    name = names.of_range(node.relation)
    relation = session.relation(name)
    held = session.transaction.exclusive.get(session.qualified(name))
    if held is None or relation.holds_nothing_old:
        return
    has_where = node.DESCRIPTOR.name != "MergeStmt" and node.HasField("where_clause")
    if has_where and extent.is_point(node.where_clause, relation):
        return
    message = f"{statement.kind} changes rows of {name} while this transaction keeps it locked against everybody"
    yield burden.hit(name, relation, message, known={"locked_by_statement": held.by})


RULE = Rule(
    id="backfill-in-ddl-transaction",
    severity="hazard",
    nodes=("@held",),
    what="Rows are changed in the transaction that has just altered the table.",
    why="The ALTER's ACCESS EXCLUSIVE is kept until the commit, so that nobody can read or write the table while the"
    " rows are changed.",
    safe_way="Leave the ALTER alone in its revision, and fill {table} afterwards in small transactions: a backfill"
    " (tidegate_backfill = {{...}} in the revision), which needs no lock on the table.",
    check=check,
)
