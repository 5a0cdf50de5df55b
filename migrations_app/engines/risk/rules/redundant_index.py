from __future__ import annotations

from collections.abc import Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import index_shapes, names
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.index_shapes import Shape
from migrations_app.engines.risk.names import Node
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    node = statement.node
    table = names.of_range(node.relation)
    new = index_shapes.of_statement(node)
    relation = session.relation(table)
    if relation.is_absent or (node.if_not_exists and _exists(new.name, session)):
        return
    for old in index_shapes.standing(table, statement, session):
        if old.name == new.name:
            continue
        if not new.is_unique and old.covers(new):
            message = f"{old.name} ({', '.join(old.columns)}) of {table} serves all that {_called(new)} would"
            yield Hit(message, table, values={"name": names.quoted(new.name or "the_new_index")})
            return
        if not old.is_key and new.covers(old) and not _is_dropped(old.name, statement, session):
            message = f"{_called(new)} makes {old.name} ({', '.join(old.columns)}) of {table} needless"
            yield Hit(message, table, values={"name": names.quoted(old.name)})
            return


def _exists(name: str, session: Session) -> bool:
    owner = session.index_table(name)
    return owner is not None and not session.made_here("index", name)


def _is_dropped(name: str, statement: Statement, session: Session) -> bool:
    """Whether the input drops the index afterwards."""
    return any(
        each.node.remove_type == pg.OBJECT_INDEX and name in map(_bare, each.node.objects)
        for each in session.statements[statement.index + 1 :]
        if each.node_name == "drop_stmt"
    )


def _bare(item: Node) -> str:
    return names.bare(names.of_object(item))


def _called(shape: Shape) -> str:
    return f"the new index {shape.name}" if shape.name else "the new index"


RULE = Rule(
    id="redundant-index",
    severity="advice",
    nodes=("index_stmt",),
    what="Two indexes of a table serve the same queries.",
    why="Every INSERT and UPDATE keeps both of them up to date, and both take disk, cache and vacuum time. An index"
    " also serves queries by its first columns.",
    safe_way="Keep one: leave the CREATE INDEX out, or DROP INDEX CONCURRENTLY {name} once the wider one is there.",
    check=check,
)
