"""The foreign keys that a statement adds, in CREATE TABLE, ADD COLUMN or ADD CONSTRAINT."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import column_types, names, new_table
from migrations_app.engines.risk.column_types import ColumnType
from migrations_app.engines.risk.names import Node
from migrations_app.engines.risk.new_table import ForeignKey, NewTable
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement

NODES = ("create_stmt", "AT_AddConstraint/CONSTR_FOREIGN", "AT_AddColumn/CONSTR_FOREIGN")
"""Where a rule about foreign keys has to look."""


@dataclass(frozen=True, slots=True)
class AddedKey:
    """A foreign key on `table`, the name that the statement uses. `made`: the table that this CREATE TABLE makes."""

    table: str
    key: ForeignKey
    made: NewTable | None = None
    column: Node | None = None
    """The ColumnDef of ADD COLUMN."""

    def type_of(self, place: int, session: Session) -> ColumnType | None:
        """The type of one of its columns; None when unknown."""
        name = self.key.columns[place]
        if self.made is not None:
            column = self.made.column(name)
            return column.type if column else None
        if self.column is not None:
            return column_types.from_node(self.column.type_name)
        known = session.relation(self.table).column(name).type
        return column_types.parse(known) if known else None

    def parent_type(self, place: int, session: Session) -> ColumnType | None:
        """The type of the column that it points to; None when unknown."""
        if place >= len(self.key.parent_columns):
            return None
        name = self.key.parent_columns[place]
        if self.made is not None and self.key.parent == self.made.name:
            column = self.made.column(name)
            return column.type if column else None
        known = session.relation(self.key.parent).column(name).type
        return column_types.parse(known) if known else None


def added(statement: Statement, session: Session) -> Iterator[AddedKey]:
    """Those that really come: not on a table or column that IF NOT EXISTS finds, nor on a temporary one."""
    if statement.node_name == "create_stmt":
        made = new_table.of(statement, session)
        for key in made.foreign if made else ():
            yield AddedKey(made.name if made else "", key, made)
        return
    name = names.of_range(statement.node.relation)
    relation = session.relation(name)
    if relation.is_absent:
        return
    for item in statement.node.cmds:
        command = item.alter_table_cmd
        if command.subtype == pg.AT_AddConstraint:
            constraint = getattr(command, "def").constraint
            if constraint.contype == pg.CONSTR_FOREIGN:
                yield AddedKey(name, new_table.foreign_key(constraint))
        elif command.subtype == pg.AT_AddColumn:
            definition = getattr(command, "def").column_def
            if command.missing_ok and relation.column(definition.colname).type is not None:
                continue
            for key in new_table.keys_of_column(new_table.column_of(definition)):
                yield AddedKey(name, key, column=definition)
