from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engines.risk import names
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.names import Node, inner
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    node = statement.node
    query = inner(node.query)
    if not any(map(_is_star, query.target_list)) or _takes_a_place(node.view.relname, statement, session):
        return
    name = names.of_range(node.view)
    sources = [names.of_range(item.range_var) for item in query.from_clause if names.node_name(item) == "range_var"]
    message = f"The view {name} takes all columns" + (f" of {', '.join(sources)}" if sources else "")
    yield Hit(message, name)


def _is_star(target: Node) -> bool:
    value = inner(target.res_target.val)
    return bool(value.DESCRIPTOR.name == "ColumnRef" and value.fields[-1].WhichOneof("node") == "a_star")


def _takes_a_place(name: str, statement: Statement, session: Session) -> bool:
    """Whether the view answers to the old name of a table that this input renames or moves: all columns are meant."""
    for each in session.statements[: max(statement.index, 0)]:
        moved = each.node_name in ("rename_stmt", "alter_object_schema_stmt") and each.node.relation.relname == name
        if moved:
            return True
    return False


RULE = Rule(
    id="select-star-view",
    severity="advice",
    nodes=("view_stmt",),
    what="A view is made by SELECT *.",
    why="The star is read once: columns that the table gets later are not in the view, and a dropped or retyped column"
    " is refused because the view stands on all of them.",
    safe_way="CREATE VIEW {table} AS SELECT, and the columns that its readers need, by name.",
    check=check,
)
