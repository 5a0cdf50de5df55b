"""What an ALTER TABLE leaves behind in the session, one small function a subcommand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import names
from migrations_app.engines.risk.column_types import spell
from migrations_app.engines.risk.definitions import add_column, add_constraint, constraint_of
from migrations_app.engines.risk.names import Node
from migrations_app.engines.risk.session import Column, Relation, Session
from migrations_app.engines.risk.statements import Statement


@dataclass(frozen=True)
class Subcommand:
    """One subcommand, on the relation that the statement names."""

    statement: Statement
    session: Session
    relation: Relation
    command: Node


def _at_add_column(step: Subcommand) -> None:
    definition = getattr(step.command, "def").column_def
    unsure = step.statement.is_conditional or step.command.missing_ok
    facts = step.relation.facts
    if facts is not None and definition.colname in facts.columns:
        # There already: refused or skipped, unless the input dropped or renamed the old one.
        if step.relation.column(definition.colname).origin is not None:
            return
    elif unsure and facts is None and not step.relation.is_made:
        # Added or already there, and no catalog that could prove that it is new.
        return
    add_column(step.relation, definition)
    _note(step, "column", definition.colname)


def _note(step: Subcommand, what: str, name: str) -> None:
    table = step.session.qualified(names.of_range(step.statement.node.relation))
    step.session.transaction.note(what, table, name, by=step.statement.index)


def _at_drop_column(step: Subcommand) -> None:
    step.relation.columns[step.command.name] = Column(step.command.name, None, has_values=False)


def _at_type(step: Subcommand) -> None:
    step.relation.column(step.command.name).type = spell(getattr(step.command, "def").column_def.type_name)


def _at_not_null(step: Subcommand) -> None:
    step.relation.column(step.command.name).not_null = step.command.subtype == pg.AT_SetNotNull


def _at_add_constraint(step: Subcommand) -> None:
    constraint = constraint_of(getattr(step.command, "def").constraint)
    add_constraint(step.relation, constraint)
    _note(step, "constraint", constraint.name)


def _at_drop_constraint(step: Subcommand) -> None:
    step.relation.constraints[step.command.name] = None


def _at_validate(step: Subcommand) -> None:
    known = step.relation.constraint(step.command.name)
    if known is not None:
        step.relation.constraints[step.command.name] = replace(known, validated=True)


def _at_take_in(step: Subcommand) -> None:
    definition = getattr(step.command, "def")
    if step.command.subtype == pg.AT_AttachPartition:
        child, parent = definition.partition_cmd.name, step.relation
    else:
        child, parent = step.statement.node.relation, step.session.relation(names.of_range(definition.range_var))
    if not step.session.relation(names.of_range(child)).holds_nothing_old:
        parent.took_in = True


COMMANDS: dict[int, Callable[[Subcommand], None]] = {
    pg.AT_AddColumn: _at_add_column,
    pg.AT_DropColumn: _at_drop_column,
    pg.AT_AlterColumnType: _at_type,
    pg.AT_SetNotNull: _at_not_null,
    pg.AT_DropNotNull: _at_not_null,
    pg.AT_AddConstraint: _at_add_constraint,
    pg.AT_DropConstraint: _at_drop_constraint,
    pg.AT_ValidateConstraint: _at_validate,
    pg.AT_AttachPartition: _at_take_in,
    pg.AT_AddInherit: _at_take_in,
}
