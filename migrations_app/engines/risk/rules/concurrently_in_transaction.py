from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    # A DO block or a function is inside a transaction of its own wherever it is called.
    if (session.in_transaction or statement.inside) and _must_stand_alone(statement):
        where = f"from {statement.inside}" if statement.inside else "inside a transaction"
        message = f"{statement.kind} CONCURRENTLY cannot run {where}"
        yield Hit(message, fails="25001")


def _must_stand_alone(statement: Statement) -> bool:
    node = statement.node
    match statement.node_name:
        case "reindex_stmt":
            return any(option.def_elem.defname == "concurrently" for option in node.params)
        case "alter_table_stmt":
            details = [getattr(item.alter_table_cmd, "def") for item in node.cmds]
            return any(detail.partition_cmd.concurrent for detail in details)
    return bool(node.concurrent)


RULE = Rule(
    id="concurrently-in-transaction",
    severity="hazard",
    nodes=("index_stmt", "drop_stmt/OBJECT_INDEX", "reindex_stmt", "AT_DetachPartition"),
    what="A statement that PostgreSQL refuses inside a transaction.",
    why="PostgreSQL refuses it before it takes any lock, and the whole revision fails.",
    safe_way="with op.get_context().autocommit_block(): op.execute(...), alone in its revision, because entering"
    " the block commits what stood before it.",
    check=check,
)
