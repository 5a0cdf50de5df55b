from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engines.risk import column_types, names, new_table
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.new_table import NewTable
from migrations_app.engines.risk.session import Relation, Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    node = statement.node
    if not node.if_not_exists or node.relation.relpersistence == "t":
        return
    name = names.of_range(node.relation)
    relation = session.relation(name)
    if not relation.is_existing or not (relation.facts or relation.columns):
        return
    table = new_table.read(statement)
    differences = list(_differences(table, relation))
    if differences:
        message = f"{name} exists already, so nothing happens, and it is not what is written here"
        why = f"There: {'; '.join(differences)}."
        yield Hit(message, name, why=why, evidence={"differences": differences})


def _differences(table: NewTable, relation: Relation) -> Iterator[str]:
    """What the table that is there lacks or has otherwise; empty when it is as it is written."""
    if relation.is_view:
        yield "it is a view"
        return
    for column in table.columns:
        there = relation.column(column.name)
        if there.type is None:
            yield f"{column.name} is missing"
        elif (known := column_types.parse(there.type)) is not None and not _is_same(known, column.type):
            yield f"{column.name} is {known} and not {column.type}"


def _is_same(one: column_types.ColumnType, other: column_types.ColumnType) -> bool:
    # By catalog a type outside of the search_path has its schema, and char is char(1).
    bases = names.bare(one.base) == names.bare(other.base)
    mods = one.mods == other.mods or {one.mods, other.mods} == {(), (1,)}
    return bases and mods and bool(one.dimensions) == bool(other.dimensions)


RULE = Rule(
    id="if-not-exists-drift",
    severity="advice",
    nodes=("create_stmt",),
    what="IF NOT EXISTS meets a table that is another one.",
    why="The statement does nothing and reports success; the drift stays, and code that relies on the columns written"
    " here fails later.",
    safe_way="Leave IF NOT EXISTS out, so that it fails here, or bring the table into shape by name: ALTER TABLE"
    " {table} ADD COLUMN ..., each change in a revision of its own.",
    check=check,
)
