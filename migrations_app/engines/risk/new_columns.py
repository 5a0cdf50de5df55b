"""The columns that ALTER TABLE adds to a table that others use."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import burden, column_types, names
from migrations_app.engines.risk.facts import TypeFacts
from migrations_app.engines.risk.locking.alter_type_locks import domain
from migrations_app.engines.risk.names import Node, inner
from migrations_app.engines.risk.session import Relation, Session
from migrations_app.engines.risk.statements import Statement

_SERIALS = {"serial", "bigserial", "smallserial", "serial2", "serial4", "serial8"}


@dataclass(frozen=True, slots=True)
class NewColumn:
    """One ADD COLUMN. `table` is the name that the statement uses."""

    table: str
    relation: Relation
    definition: Node
    session: Session

    @property
    def name(self) -> str:
        return str(self.definition.colname)

    @property
    def constraints(self) -> list[Node]:
        return [item.constraint for item in self.definition.constraints]

    def of_kind(self, kind: int) -> Node | None:
        """The constraint of this kind that stands beside the column."""
        return next((constraint for constraint in self.constraints if constraint.contype == kind), None)

    @property
    def default(self) -> Node | None:
        """The expression of its DEFAULT; None without one. DEFAULT NULL is as good as none."""
        constraint = self.of_kind(pg.CONSTR_DEFAULT)
        if constraint is None or _is_null(constraint.raw_expr):
            return None
        return constraint.raw_expr

    @property
    def is_counted(self) -> bool:
        """serial or IDENTITY: the rows get numbers."""
        return self.of_kind(pg.CONSTR_IDENTITY) is not None or self._base in _SERIALS

    @property
    def domain(self) -> TypeFacts | None:
        """Its type, when that is a domain."""
        is_plain = self._base in column_types.BUILT_IN or self.definition.type_name.array_bounds
        return None if is_plain else domain(self._type, self.session)

    @property
    def is_stored(self) -> bool:
        """GENERATED ALWAYS AS (...) STORED. VIRTUAL ones, from PostgreSQL 18, are computed when they are read."""
        constraint = self.of_kind(pg.CONSTR_GENERATED)
        return constraint is not None and constraint.generated_kind in ("", "s")

    @property
    def is_generated(self) -> bool:
        return self.of_kind(pg.CONSTR_GENERATED) is not None

    @property
    def _type(self) -> str:
        return names.of_strings(self.definition.type_name.names)

    @property
    def _base(self) -> str:
        return names.bare(self._type)


def of_statement(statement: Statement, session: Session) -> Iterator[NewColumn]:
    """Those that are really added: not what IF NOT EXISTS finds in the catalog."""
    if statement.node.objtype != pg.OBJECT_TABLE:
        return
    for at in burden.subcommands(statement, session, pg.AT_AddColumn):
        definition = getattr(at.command, "def").column_def
        known = at.relation.column(definition.colname) if at.command.missing_ok and at.relation.facts else None
        if known is None or known.type is None:
            yield NewColumn(at.name, at.relation, definition, session)


def _is_null(expression: Node) -> bool:
    node = inner(expression)
    while node.DESCRIPTOR.name == "TypeCast":
        node = inner(node.arg)
    return bool(node.DESCRIPTOR.name == "A_Const" and node.isnull)
