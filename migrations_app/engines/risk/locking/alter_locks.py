"""The locks of ALTER TABLE, one function a subcommand. What is not listed takes ACCESS EXCLUSIVE, briefly."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import names, volatility
from migrations_app.engines.risk.locking import alter_constraint_locks as constraints
from migrations_app.engines.risk.locking import alter_partition_locks, alter_type_locks
from migrations_app.engines.risk.locking.alter_constraint_locks import needs_null_scan
from migrations_app.engines.risk.locking.alter_subcommand import Subcommand
from migrations_app.engines.risk.locking.lock_family import (
    foreign_keys,
    has_storage,
    pointing_keys,
    spread,
    told_tables,
)
from migrations_app.engines.risk.locking.lock_modes import AS, AX, SRX, SUE, Touch

__all__ = ["Subcommand", "needs_null_scan", "of_subcommand"]


def of_subcommand(at: Subcommand) -> Iterator[Touch]:
    """Every lock that it takes."""
    subtype = at.command.subtype
    touching = _SUBCOMMANDS.get(subtype)
    if touching is None:
        yield Touch(at.name, _SUBCOMMAND_MODES.get(subtype, AX))
    else:
        yield from touching(at)


def _at_recursive(at: Subcommand) -> Iterator[Touch]:
    """Briefly, on children as well."""
    yield from at.spread(AX)


def _at_statistics(at: Subcommand) -> Iterator[Touch]:
    yield from at.spread(SUE)


def _at_type(at: Subcommand) -> Iterator[Touch]:
    change = alter_type_locks.change_of(at.relation, at.command, at.session)
    yield from at.spread(AX, scan=change.scan, rewrite=change.rewrite)
    for key in foreign_keys(at.relation):
        if key.references is not None and at.command.name in key.columns:
            yield from spread(key.references, AX, at.session, scan=change.rewrite)
    for child, key in pointing_keys(at.relation, at.session):
        if at.command.name in key.referenced_columns:
            yield Touch(child, AX, scan=change.rewrite)


def _at_add_column(at: Subcommand) -> Iterator[Touch]:
    definition = getattr(at.command, "def").column_def
    facts = at.relation.facts
    if at.command.missing_ok and facts is not None and definition.colname in facts.columns:
        yield Touch(at.name, AX)
        return
    rewrite = volatility.makes_rewrite(definition, at.session.server_version, at.session)
    constraints = [item.constraint for item in definition.constraints]
    if not constraints:
        yield from at.spread(AX, scan=rewrite, rewrite=rewrite)
        return
    default = any(constraint.contype == pg.CONSTR_DEFAULT for constraint in constraints)
    kinds = {constraint.contype for constraint in constraints}
    checks_rows = (
        kinds & {pg.CONSTR_UNIQUE, pg.CONSTR_PRIMARY, pg.CONSTR_CHECK}
        or (pg.CONSTR_NOTNULL in kinds and not default)
        or (pg.CONSTR_FOREIGN in kinds and default)
    )
    yield from at.spread(AX, scan=rewrite or bool(checks_rows), rewrite=rewrite)
    for constraint in constraints:
        if constraint.contype == pg.CONSTR_FOREIGN:
            is_checked = (default or rewrite) and at.relation.is_existing
            yield from spread(names.of_range(constraint.pktable), SRX, at.session, scan=is_checked)


def _at_drop_column(at: Subcommand) -> Iterator[Touch]:
    # Children are locked after ONLY as well: their column becomes one of their own.
    yield from spread(at.name, AX, at.session)
    column = at.command.name
    for key in foreign_keys(at.relation):
        if key.references is not None and column in key.columns:
            yield from spread(key.references, AX, at.session)
    if at.command.behavior != pg.DROP_CASCADE or at.relation.facts is None:
        return
    for child, key in pointing_keys(at.relation, at.session):
        if column in key.referenced_columns:
            yield from spread(child, AX, at.session)
    told = at.relation.facts.column_dependents.get(column, ())
    for name in told_tables(told, at.session):
        yield Touch(name, AX)


def _at_expression(at: Subcommand) -> Iterator[Touch]:
    """SET EXPRESSION (PostgreSQL 17+) computes a stored column anew; a virtual one (18) is only defined."""
    known = at.relation.facts.columns.get(at.command.name) if at.relation.facts else None
    is_virtual = known is not None and known.generated == "v"
    yield from at.spread(AX, scan=not is_virtual, rewrite=not is_virtual)


def _at_inherit(at: Subcommand) -> Iterator[Touch]:
    yield Touch(at.name, AX)
    parent = names.of_range(getattr(at.command, "def").range_var)
    yield Touch(parent, SUE if at.command.subtype == pg.AT_AddInherit else AS)


def _at_options(at: Subcommand) -> Iterator[Touch]:
    """Storage parameters; those of views, and the one for logical decoding, change what queries do."""
    facts = at.relation.facts
    is_view = at.says_view or (facts is not None and facts.kind == "view") or (facts is None and at.relation.is_view)
    options = (item.def_elem.defname for item in getattr(at.command, "def").list.items)
    yield Touch(at.name, AX if is_view or "user_catalog_table" in options else SUE)


def _at_triggers(at: Subcommand) -> Iterator[Touch]:
    """The triggers of a partitioned table have a copy on each partition."""
    facts = at.relation.facts
    has_any = facts is not None and bool(facts.triggers or facts.referenced_by or any(foreign_keys(at.relation)))
    recurse = has_any and at.is_partitioned
    yield from spread(at.name, SRX, at.session, recurse=recurse and not at.is_only)


def _at_persistence(at: Subcommand) -> Iterator[Touch]:
    wanted = "p" if at.command.subtype == pg.AT_SetLogged else "u"
    rewrite = at.relation.facts is None or at.relation.facts.persistence != wanted
    yield from (at.spread(AX, rewrite=rewrite) if at.is_partitioned else [Touch(at.name, AX, rewrite, rewrite)])


def _at_rewrite(at: Subcommand) -> Iterator[Touch]:
    # A partitioned table only tells new partitions where to go.
    stores = has_storage(at.relation)
    yield Touch(at.name, AX, stores, stores)


def _at_access_method(at: Subcommand) -> Iterator[Touch]:
    facts = at.relation.facts
    rewrite = has_storage(at.relation) and (facts is None or facts.access_method != (at.command.name or "heap"))
    yield Touch(at.name, AX, rewrite, rewrite)


def _at_identity(at: Subcommand) -> Iterator[Touch]:
    # From PostgreSQL 17 on partitions share the identity of their parent.
    recurse = at.is_partitioned and at.session.server_version >= 170000
    yield from spread(at.name, AX, at.session, recurse=recurse)


_SUBCOMMANDS: dict[int, Callable[[Subcommand], Iterator[Touch]]] = {
    pg.AT_AlterColumnType: _at_type,
    pg.AT_AddColumn: _at_add_column,
    pg.AT_DropColumn: _at_drop_column,
    pg.AT_ColumnDefault: _at_recursive,
    pg.AT_DropNotNull: _at_recursive,
    pg.AT_SetStorage: _at_recursive,
    pg.AT_DropExpression: _at_recursive,
    pg.AT_SetStatistics: _at_statistics,
    pg.AT_AddConstraint: constraints.add_constraint,
    pg.AT_ValidateConstraint: constraints.validate,
    pg.AT_SetNotNull: constraints.not_null,
    pg.AT_DropConstraint: constraints.drop_constraint,
    pg.AT_AlterConstraint: constraints.alter_constraint,
    pg.AT_SetExpression: _at_expression,
    pg.AT_AddIdentity: _at_identity,
    pg.AT_SetIdentity: _at_identity,
    pg.AT_DropIdentity: _at_identity,
    pg.AT_AddInherit: _at_inherit,
    pg.AT_DropInherit: _at_inherit,
    pg.AT_SetRelOptions: _at_options,
    pg.AT_ResetRelOptions: _at_options,
    pg.AT_SetLogged: _at_persistence,
    pg.AT_SetUnLogged: _at_persistence,
    pg.AT_SetTableSpace: _at_rewrite,
    pg.AT_SetAccessMethod: _at_access_method,
    pg.AT_AttachPartition: alter_partition_locks.attach,
    pg.AT_DetachPartition: alter_partition_locks.detach,
    pg.AT_DetachPartitionFinalize: alter_partition_locks.finalize,
}
_TRIGGERS = (
    pg.AT_EnableTrig, pg.AT_EnableAlwaysTrig, pg.AT_EnableReplicaTrig, pg.AT_DisableTrig,
    pg.AT_EnableTrigAll, pg.AT_DisableTrigAll, pg.AT_EnableTrigUser, pg.AT_DisableTrigUser,
)  # fmt: skip
_SUBCOMMANDS |= dict.fromkeys(_TRIGGERS, _at_triggers)
_SUBCOMMAND_MODES = {
    pg.AT_SetOptions: SUE,
    pg.AT_ResetOptions: SUE,
    pg.AT_ClusterOn: SUE,
    pg.AT_DropCluster: SUE,
}
