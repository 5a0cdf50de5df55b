from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.names import Node, inner
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    added = session.transaction.labels
    if not added:
        return
    for text in _texts(statement.node):
        if text in added:
            message = f"The label {text!r} of {added[text]} is used in the transaction that adds it"
            yield Hit(message, evidence={"type": added[text], "label": text}, fails="55P04")
            return


def _texts(node: Node) -> Iterator[str]:
    node = inner(node)
    if node.DESCRIPTOR.name == "A_Const":
        if node.WhichOneof("val") == "sval":
            yield node.sval.sval
        return
    for field, value in node.ListFields():
        if field.type == field.TYPE_MESSAGE:
            for child in [value] if hasattr(value, "DESCRIPTOR") else value:
                yield from _texts(child)


RULE = Rule(
    id="enum-value-used-in-tx",
    severity="hazard",
    nodes=(
        "insert_stmt", "update_stmt", "delete_stmt", "merge_stmt", "select_stmt", "create_stmt", "create_table_as_stmt",
        "index_stmt", "view_stmt", "AT_ColumnDefault", "AT_AddColumn/CONSTR_DEFAULT", "AT_AddConstraint/CONSTR_CHECK",
        "AT_AlterColumnType",
    ),
    what="A label is added to an enum type and used before the commit.",
    why="PostgreSQL refuses it (SQLSTATE 55P04): until the transaction that adds the label has committed, nobody may"
    " use it. Before PostgreSQL 12 the label could not be added in a transaction at all.",
    safe_way="Two revisions: ALTER TYPE ... ADD VALUE alone in the first, what uses the label in the second.",
    check=check,
)  # fmt: skip
