"""A table as CREATE TABLE makes it, read once for all rules that look at it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import takewhile

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import column_types, names
from migrations_app.engines.risk.column_types import ColumnType
from migrations_app.engines.risk.names import Node, inner
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement

_SERIALS = {"serial", "bigserial", "smallserial", "serial2", "serial4", "serial8"}
_ATTRIBUTES = {
    pg.CONSTR_ATTR_DEFERRABLE,
    pg.CONSTR_ATTR_NOT_DEFERRABLE,
    pg.CONSTR_ATTR_DEFERRED,
    pg.CONSTR_ATTR_IMMEDIATE,
}


@dataclass(frozen=True, slots=True)
class MadeColumn:
    """One column. `type` is that of its values: a serial is an integer."""

    name: str
    type: ColumnType
    is_serial: bool
    constraints: tuple[Node, ...]

    def of_kind(self, kind: int) -> Node | None:
        return next((constraint for constraint in self.constraints if constraint.contype == kind), None)


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """One foreign key, written beside a column or by itself. `definition` is its Constraint."""

    columns: tuple[str, ...]
    parent: str
    parent_columns: tuple[str, ...]
    definition: Node
    is_deferrable: bool = False
    is_deferred: bool = False
    """INITIALLY DEFERRED."""

    @property
    def name(self) -> str:
        """As people call it, also before PostgreSQL has chosen a name."""
        return self.definition.conname or f"({', '.join(self.columns)})"


@dataclass(frozen=True, slots=True)
class NewTable:
    """What a CREATE TABLE spells out. `keys` are the columns of its PRIMARY KEY and UNIQUE constraints."""

    name: str
    columns: tuple[MadeColumn, ...]
    primary: tuple[str, ...]
    keys: tuple[tuple[str, ...], ...]
    foreign: tuple[ForeignKey, ...]
    takes_from_others: bool
    """LIKE, INHERITS, PARTITION OF, OF type: more than it spells out."""

    def column(self, name: str) -> MadeColumn | None:
        return next((column for column in self.columns if column.name == name), None)


def of(statement: Statement, session: Session) -> NewTable | None:
    """The table that a CREATE TABLE really makes to stay: no temporary one, and none that IF NOT EXISTS may find."""
    node = statement.node
    if node.relation.relpersistence == "t" or node.relation.schemaname == "pg_temp":
        return None
    relation = session.relation(names.of_range(node.relation))
    if relation.facts is not None or (node.if_not_exists and relation.is_existing and relation.columns):
        return None
    return read(statement)


@lru_cache(maxsize=64)
def read(statement: Statement) -> NewTable:
    """What the CREATE TABLE says, whatever the target has."""
    node = statement.node
    columns: list[MadeColumn] = []
    others: list[Node] = []
    takes = bool(node.inh_relations) or node.HasField("of_typename")
    for item in node.table_elts:
        element = inner(item)
        kind = element.DESCRIPTOR.name
        if kind == "ColumnDef":
            columns.append(column_of(element))
        elif kind == "Constraint":
            others.append(element)
        else:
            takes = takes or kind == "TableLikeClause"
    keys = [*_keys_beside(columns), *_keys_of(others)]
    primary = next((columns for kind, columns in keys if kind == pg.CONSTR_PRIMARY), ())
    foreign = [key for column in columns for key in keys_of_column(column)]
    foreign += [foreign_key(each) for each in others if each.contype == pg.CONSTR_FOREIGN]
    name = names.of_range(node.relation)
    return NewTable(name, tuple(columns), primary, tuple(key for _, key in keys), tuple(foreign), takes)


def column_of(definition: Node) -> MadeColumn:
    """The column that a ColumnDef makes."""
    is_serial = names.bare(names.of_strings(definition.type_name.names)) in _SERIALS
    constraints = tuple(item.constraint for item in definition.constraints)
    return MadeColumn(definition.colname, column_types.from_node(definition.type_name), is_serial, constraints)


def keys_of_column(column: MadeColumn) -> Iterator[ForeignKey]:
    """The foreign keys that are written beside a column."""
    for place, constraint in enumerate(column.constraints):
        if constraint.contype == pg.CONSTR_FOREIGN:
            # Beside a column DEFERRABLE is a constraint of its own, behind the one that it is about.
            behind = takewhile(_is_attribute, (each.contype for each in column.constraints[place + 1 :]))
            yield foreign_key(constraint, column.name, frozenset(behind))


def foreign_key(constraint: Node, column: str = "", attributes: frozenset[int] = frozenset()) -> ForeignKey:
    """The key that a Constraint spells out; `column`: the one that it stands beside, with its `attributes`."""
    columns = tuple(key.string.sval for key in constraint.fk_attrs) or (column,)
    parents = tuple(key.string.sval for key in constraint.pk_attrs)
    is_deferred = constraint.initdeferred or pg.CONSTR_ATTR_DEFERRED in attributes
    is_deferrable = is_deferred or constraint.deferrable or pg.CONSTR_ATTR_DEFERRABLE in attributes
    return ForeignKey(columns, names.of_range(constraint.pktable), parents, constraint, is_deferrable, is_deferred)


def _is_attribute(kind: int) -> bool:
    return kind in _ATTRIBUTES


def _keys_beside(columns: list[MadeColumn]) -> Iterator[tuple[int, tuple[str, ...]]]:
    for column in columns:
        for constraint in column.constraints:
            if constraint.contype in (pg.CONSTR_PRIMARY, pg.CONSTR_UNIQUE):
                yield constraint.contype, (column.name,)


def _keys_of(constraints: list[Node]) -> Iterator[tuple[int, tuple[str, ...]]]:
    for constraint in constraints:
        if constraint.contype in (pg.CONSTR_PRIMARY, pg.CONSTR_UNIQUE):
            yield constraint.contype, tuple(key.string.sval for key in constraint.keys)
