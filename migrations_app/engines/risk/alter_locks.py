"""The locks of ALTER TABLE, one function a subcommand. What is not listed takes ACCESS EXCLUSIVE, briefly."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import column_types, names, volatility
from migrations_app.engines.risk.lock_modes import AX, RS, SRX, SUE, Touch
from migrations_app.engines.risk.names import Node, inner
from migrations_app.engines.risk.session import Relation, Session


@dataclass(frozen=True, slots=True)
class Subcommand:
    """One subcommand of an ALTER TABLE on the relation of this name."""

    name: str
    relation: Relation
    command: Node
    session: Session


def of_subcommand(at: Subcommand) -> Iterator[Touch]:
    """Every lock that it takes."""
    touching = _SUBCOMMANDS.get(at.command.subtype)
    if touching is None:
        yield Touch(at.name, _SUBCOMMAND_MODES.get(at.command.subtype, AX))
    else:
        yield from touching(at)


def _at_type(at: Subcommand) -> Iterator[Touch]:
    definition = getattr(at.command, "def").column_def
    new = column_types.from_node(definition.type_name)
    spelled = at.relation.column(at.command.name).type
    old = column_types.parse(spelled) if spelled else None
    rewrite = column_types.rewrites(old, new, version=at.session.server_version)
    is_plain = not definition.HasField("raw_default") or inner(definition.raw_default).DESCRIPTOR.name in (
        "ColumnRef",
        "TypeCast",
    )
    yield Touch(at.name, AX, rewrite=(rewrite is True) or not is_plain)


def _at_add_column(at: Subcommand) -> Iterator[Touch]:
    definition = getattr(at.command, "def").column_def
    yield Touch(at.name, AX, rewrite=volatility.makes_rewrite(definition, at.session.server_version))
    for item in definition.constraints:
        if item.constraint.contype == pg.CONSTR_FOREIGN:
            yield Touch(names.of_range(item.constraint.pktable), SRX)


def _at_add_constraint(at: Subcommand) -> Iterator[Touch]:
    constraint = getattr(at.command, "def").constraint
    scan = not constraint.skip_validation and not constraint.indexname
    if constraint.contype == pg.CONSTR_FOREIGN:
        yield Touch(at.name, SRX, scan=scan)
        yield Touch(names.of_range(constraint.pktable), SRX)
    else:
        yield Touch(at.name, AX, scan=scan)


def _at_validate(at: Subcommand) -> Iterator[Touch]:
    yield Touch(at.name, SUE, scan=True)
    known = at.relation.constraint(at.command.name)
    if known is not None and known.references:
        yield Touch(known.references, RS)


def _at_not_null(at: Subcommand) -> Iterator[Touch]:
    yield Touch(at.name, AX, scan=needs_null_scan(at.relation, at.command.name))


def needs_null_scan(relation: Relation, column: str) -> bool:
    """Whether SET NOT NULL has to read the table: not when a valid CHECK proves it (PostgreSQL 12+) or it is set."""
    if relation.column(column).not_null:
        return False
    proof = f"({names.quoted(column)} is not null)"
    return not any(
        c.kind == "check" and c.validated and proof in c.definition.lower() for c in relation.known_constraints()
    )


def _at_drop_constraint(at: Subcommand) -> Iterator[Touch]:
    yield Touch(at.name, AX)
    known = at.relation.constraint(at.command.name)
    if known is not None and known.references:
        yield Touch(known.references, AX)


def _at_attach(at: Subcommand) -> Iterator[Touch]:
    yield Touch(at.name, SUE)
    yield Touch(names.of_range(getattr(at.command, "def").partition_cmd.name), AX, scan=True)


def _at_detach(at: Subcommand) -> Iterator[Touch]:
    partition = getattr(at.command, "def").partition_cmd
    yield Touch(at.name, SUE if partition.concurrent else AX)
    yield Touch(names.of_range(partition.name), AX)


def _at_rewrite(at: Subcommand) -> Iterator[Touch]:
    yield Touch(at.name, AX, rewrite=True)


_SUBCOMMANDS: dict[int, Callable[[Subcommand], Iterator[Touch]]] = {
    pg.AT_AlterColumnType: _at_type,
    pg.AT_AddColumn: _at_add_column,
    pg.AT_AddConstraint: _at_add_constraint,
    pg.AT_ValidateConstraint: _at_validate,
    pg.AT_SetNotNull: _at_not_null,
    pg.AT_DropConstraint: _at_drop_constraint,
    pg.AT_AttachPartition: _at_attach,
    pg.AT_DetachPartition: _at_detach,
    pg.AT_SetLogged: _at_rewrite,
    pg.AT_SetUnLogged: _at_rewrite,
    pg.AT_SetTableSpace: _at_rewrite,
    pg.AT_SetAccessMethod: _at_rewrite,
}
_TRIGGERS = (
    pg.AT_EnableTrig, pg.AT_EnableAlwaysTrig, pg.AT_EnableReplicaTrig, pg.AT_DisableTrig,
    pg.AT_EnableTrigAll, pg.AT_DisableTrigAll, pg.AT_EnableTrigUser, pg.AT_DisableTrigUser,
)  # fmt: skip
_SUBCOMMAND_MODES = {
    **dict.fromkeys(_TRIGGERS, SRX),
    pg.AT_SetStatistics: SUE,
    pg.AT_SetOptions: SUE,
    pg.AT_ResetOptions: SUE,
    pg.AT_SetRelOptions: SUE,
    pg.AT_ResetRelOptions: SUE,
    pg.AT_ClusterOn: SUE,
    pg.AT_DropCluster: SUE,
}
