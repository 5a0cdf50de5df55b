from __future__ import annotations

from collections.abc import Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import names
from migrations_app.engines.risk.definitions import constraint_of
from migrations_app.engines.risk.facts import IndexFacts
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Relation, Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    going = [names.bare(names.of_object(item)) for item in statement.node.objects]
    for name in going:
        owner = session.index_table(name)
        if session.made_here("index", name) or owner is None or owner.facts is None or not owner.is_existing:
            continue
        index = next((each for each in owner.facts.indexes if each.name == name), None)
        if index is None or not index.unique:
            continue
        columns = [column or "an expression" for column in index.columns]
        evidence = {"columns": columns, "definition": index.definition}
        values = {"name": names.quoted(name)}
        carried = next((each for each in owner.known_constraints() if each.index == name), None)
        if carried is not None:
            message = (
                f"{name} carries the constraint {carried.name} of {owner.name}: PostgreSQL refuses to drop it alone"
            )
            yield Hit(message, owner.name, None, "", evidence, "hazard", values=values, fails="2BP01")
        elif not _is_kept_up(index, owner, going, session):
            where = f" WHERE {index.predicate}" if index.predicate else ""
            message = f"Without {name} nothing keeps {', '.join(columns)} of {owner.name} unique{where}"
            yield Hit(message, owner.name, evidence=evidence, values=values)


def _is_kept_up(index: IndexFacts, owner: Relation, going: list[str], session: Session) -> bool:
    """Whether another unique index over these columns, or over fewer of them, stays or is made by this input."""
    if owner.facts is None or not index.valid:
        return not index.valid
    for other in owner.facts.indexes:
        is_strict = other.unique and other.valid and other.predicate in ("", index.predicate)
        if other.name not in going and is_strict and _covers(other.columns, index.columns):
            return True
    return any(_covers(columns, index.columns) for columns in _made_unique(owner, session))


def _covers(these: tuple[str, ...], those: tuple[str, ...]) -> bool:
    return bool(these) and "" not in these and set(these) <= set(those)


def _made_unique(owner: Relation, session: Session) -> Iterator[tuple[str, ...]]:
    """The columns of each unique index or constraint over all rows that this input makes on the table."""
    for statement in session.statements:
        node = statement.node
        if statement.node_name == "index_stmt" and node.unique and not node.HasField("where_clause"):
            if session.relation(names.of_range(node.relation)) is owner:
                yield tuple(item.index_elem.name for item in node.index_params)
        elif statement.node_name == "alter_table_stmt" and session.relation(names.of_range(node.relation)) is owner:
            for item in node.cmds:
                if item.alter_table_cmd.subtype == pg.AT_AddConstraint:
                    made = constraint_of(getattr(item.alter_table_cmd, "def").constraint)
                    if made.kind in ("primary", "unique"):
                        yield made.columns


RULE = Rule(
    id="drop-unique-index",
    severity="danger",
    nodes=("drop_stmt/OBJECT_INDEX",),
    what="A unique index is dropped, and nothing else keeps its columns unique.",
    why="From then on duplicates can be written; the index can only be made again once somebody has removed them, and"
    " INSERT ... ON CONFLICT over these columns fails at once.",
    safe_way="If another index is to take over, make it first, outside of a transaction: CREATE UNIQUE INDEX"
    " CONCURRENTLY {name}_new ON {table} (...); then DROP INDEX CONCURRENTLY {name}.",
    check=check,
)
