"""Which indexes a table has at this point of the input, and which of them makes another one needless."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import look_ahead, names, new_table
from migrations_app.engines.risk.facts import IndexFacts
from migrations_app.engines.risk.names import Node
from migrations_app.engines.risk.rows import expressions
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


@dataclass(frozen=True, slots=True)
class Shape:
    """An index as far as it matters here. `is_plain`: columns in their usual order, without operator classes."""

    name: str
    columns: tuple[str, ...]
    is_unique: bool = False
    method: str = "btree"
    predicate: str = ""
    is_plain: bool = True
    is_key: bool = False
    """It carries a constraint, or is a unique index, so that it cannot just go."""

    def serves(self, columns: tuple[str, ...]) -> bool:
        """Whether it finds rows by these columns: they are its first ones, in any order."""
        is_all = self.method == "btree" and not self.predicate
        return is_all and set(self.columns[: len(columns)]) == set(columns)

    def covers(self, other: Shape) -> bool:
        """Whether whatever the other one finds, this one finds as quickly."""
        alike = (self.method, self.predicate) == (other.method, other.predicate) and self.is_plain and other.is_plain
        is_prefix = self.columns[: len(other.columns)] == other.columns
        return alike and is_prefix and (self.method == "btree" or self.columns == other.columns)


def of_statement(node: Node) -> Shape:
    """The index that a CREATE INDEX makes."""
    elements = [item.index_elem for item in node.index_params]
    is_plain = not node.index_including_params and not any(
        each.opclass or each.collation or each.ordering not in (0, pg.SORTBY_DEFAULT, pg.SORTBY_ASC)
        or each.nulls_ordering not in (0, pg.SORTBY_NULLS_DEFAULT)
        for each in elements
    )  # fmt: skip
    where = expressions.spelled(node.where_clause) if node.HasField("where_clause") else ""
    columns = tuple(each.name for each in elements)
    method = node.access_method or "btree"
    return Shape(node.idxname, columns, node.unique, method, where, is_plain and all(columns), node.unique)


def standing(table: str, statement: Statement, session: Session) -> Iterator[Shape]:
    """The valid indexes of the table before this statement: of the catalog, and those that the input made."""
    relation, key = session.relation(table), session.qualified(table)
    made = session.indexes.get(key, {})
    constraints = relation.known_constraints()
    carrying = {each.index for each in constraints}
    for index in relation.facts.indexes if relation.facts else ():
        if index.valid and index.name not in made:
            yield _of_facts(index, carrying)
    yield from (of_statement(node) for node in made.values() if node is not None)
    for constraint in constraints:
        if constraint.kind in ("primary", "unique") and constraint.index is None:
            yield Shape(constraint.name, constraint.columns, True, is_key=True)
    if relation.is_made:
        # A key without a name is not among the constraints.
        for each in look_ahead.before(table, statement, session):
            if each.node_name == "create_stmt":
                yield from (Shape("the key", columns, True, is_key=True) for columns in new_table.read(each).keys)


def following(table: str, statement: Statement, session: Session) -> Iterator[Shape]:
    """The indexes and keys that the input makes on the table after this statement."""
    for each in look_ahead.after(table, statement, session):
        if each.node_name == "index_stmt":
            yield of_statement(each.node)
        for command in look_ahead.commands(each, pg.AT_AddConstraint):
            constraint = getattr(command, "def").constraint
            if constraint.contype in (pg.CONSTR_PRIMARY, pg.CONSTR_UNIQUE):
                yield Shape(constraint.conname, tuple(key.string.sval for key in constraint.keys), True)


def _of_facts(index: IndexFacts, of_constraints: set[str | None]) -> Shape:
    keys = ", ".join(names.quoted(column) for column in index.columns)
    is_plain = all(index.columns) and f" USING {index.method} ({keys})" in index.definition
    is_plain = is_plain and " INCLUDE (" not in index.definition
    is_key = index.unique or index.name in of_constraints
    predicate = index.predicate.removeprefix("(").removesuffix(")") if index.predicate else ""
    return Shape(index.name, index.columns, index.unique, index.method, predicate, is_plain, is_key)
