"""The locks of ALTER TABLE, one function a subcommand. What is not listed takes ACCESS EXCLUSIVE, briefly."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import alter_partition_locks, alter_type_locks, names, volatility
from migrations_app.engines.risk.lock_family import (
    foreign_keys,
    has_storage,
    heirs,
    pointing_keys,
    spread,
    told_tables,
)
from migrations_app.engines.risk.lock_modes import AS, AX, RS, SRX, SUE, Touch
from migrations_app.engines.risk.names import Node
from migrations_app.engines.risk.session import Relation, Session


@dataclass(frozen=True, slots=True)
class Subcommand:
    """One subcommand of an ALTER TABLE on the relation of this name."""

    name: str
    relation: Relation
    command: Node
    session: Session
    is_only: bool = False
    """ALTER TABLE ONLY."""
    beside: Sequence[Node] = ()
    """All subcommands of the statement: those that drop something run before all others."""


def of_subcommand(at: Subcommand) -> Iterator[Touch]:
    """Every lock that it takes."""
    subtype = at.command.subtype
    touching = _SUBCOMMANDS.get(subtype)
    if touching is None:
        yield Touch(at.name, _SUBCOMMAND_MODES.get(subtype, AX))
    else:
        yield from touching(at)


def _spread(at: Subcommand, mode: str, *, scan: bool = False, rewrite: bool = False) -> Iterator[Touch]:
    yield from spread(at.name, mode, at.session, scan=scan, rewrite=rewrite, recurse=not at.is_only)


def _at_recursive(at: Subcommand) -> Iterator[Touch]:
    """Briefly, on children as well."""
    yield from _spread(at, AX)


def _at_statistics(at: Subcommand) -> Iterator[Touch]:
    yield from _spread(at, SUE)


def _at_type(at: Subcommand) -> Iterator[Touch]:
    change = alter_type_locks.change_of(at.relation, at.command, at.session)
    yield from _spread(at, AX, scan=change.scan, rewrite=change.rewrite)
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
    constraints = [item.constraint for item in definition.constraints]
    rewrite = volatility.makes_rewrite(definition, at.session.server_version, at.session)
    default = any(constraint.contype == pg.CONSTR_DEFAULT for constraint in constraints)
    kinds = {constraint.contype for constraint in constraints}
    checks_rows = (
        kinds & {pg.CONSTR_UNIQUE, pg.CONSTR_PRIMARY, pg.CONSTR_CHECK}
        or (pg.CONSTR_NOTNULL in kinds and not default)
        or (pg.CONSTR_FOREIGN in kinds and default)
    )
    yield from _spread(at, AX, scan=rewrite or bool(checks_rows), rewrite=rewrite)
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


def _at_add_constraint(at: Subcommand) -> Iterator[Touch]:
    constraint = getattr(at.command, "def").constraint
    kind = constraint.contype
    scan = not constraint.skip_validation
    if kind == pg.CONSTR_FOREIGN:
        # Only partitions have the key as well, children by inheritance do not.
        is_partitioned = at.relation.facts is not None and at.relation.facts.kind == "partitioned"
        yield from spread(at.name, SRX, at.session, scan=scan, recurse=is_partitioned)
        yield from spread(names.of_range(constraint.pktable), SRX, at.session, scan=scan and at.relation.is_existing)
    elif kind == pg.CONSTR_NOTNULL:
        yield from _not_null(at, [key.string.sval for key in constraint.keys], checks=scan)
    elif constraint.indexname:
        facts = at.relation.facts
        index = next((i for i in facts.indexes if i.name == constraint.indexname), None) if facts else None
        columns = index.columns if index is not None and kind == pg.CONSTR_PRIMARY else ()
        scan = any(needs_null_scan(at.relation, column, at.beside) for column in columns)
        yield Touch(at.name, AX, scan)
    elif kind == pg.CONSTR_CHECK and constraint.is_no_inherit:
        yield Touch(at.name, AX, scan and has_storage(at.relation))
        yield from (Touch(child, AX) for child in heirs(at.relation, at.session))
    else:
        recurse = kind == pg.CONSTR_CHECK or _is_partitioned(at.relation)
        yield from spread(at.name, AX, at.session, scan=scan, recurse=recurse and not at.is_only)


def _is_partitioned(relation: Relation) -> bool:
    return relation.facts is not None and relation.facts.kind == "partitioned"


def _at_validate(at: Subcommand) -> Iterator[Touch]:
    known = at.relation.constraint(at.command.name)
    if known is not None and known.validated:
        yield Touch(at.name, SUE)
        return
    recurse = known is None or known.kind != "foreign" or _is_partitioned(at.relation)
    yield from spread(at.name, SUE, at.session, scan=True, recurse=recurse)
    if known is not None and known.references:
        yield from spread(known.references, RS, at.session, scan=True)


def _at_not_null(at: Subcommand) -> Iterator[Touch]:
    yield from _not_null(at, [at.command.name], checks=True)


def _not_null(at: Subcommand, columns: Sequence[str], *, checks: bool) -> Iterator[Touch]:
    if all(at.relation.column(column).not_null for column in columns):
        # Nothing to do: children have it as well.
        yield Touch(at.name, AX)
        return
    yield Touch(
        at.name,
        AX,
        checks and has_storage(at.relation) and any(needs_null_scan(at.relation, c, at.beside) for c in columns),
    )
    for child in heirs(at.relation, at.session) if not at.is_only else ():
        heir = at.session.relation(child)
        yield Touch(child, AX, checks and has_storage(heir) and any(needs_null_scan(heir, c) for c in columns))


def needs_null_scan(relation: Relation, column: str, beside: Sequence[Node] = ()) -> bool:
    """Whether SET NOT NULL has to read the table: not when a valid CHECK proves it (PostgreSQL 12+) or it is set.

    `beside` are the other subcommands of the statement; a CHECK that they drop proves nothing any more.
    """
    if relation.column(column).not_null:
        return False
    dropped = {item.alter_table_cmd.name for item in beside if item.alter_table_cmd.subtype == pg.AT_DropConstraint}
    return not any(
        _proves(constraint.definition, column)
        for constraint in relation.known_constraints()
        if constraint.kind in ("check", "not_null") and constraint.validated and constraint.name not in dropped
    )


_OR = re.compile(r"\bor\b", re.IGNORECASE)


def _proves(definition: str, column: str) -> bool:
    """Whether a CHECK cannot hold for NULL: `c IS NOT NULL` stands in it, alone or among what AND joins."""
    if _OR.search(definition):
        return False
    quoted = re.escape(names.quoted(column))
    return bool(
        re.search(rf"(?<![\w.\"]){quoted} is not null", definition, re.IGNORECASE)
        or re.search(rf"not \(+{quoted} is null\)", definition, re.IGNORECASE)
    )


def _at_drop_constraint(at: Subcommand) -> Iterator[Touch]:
    known = at.relation.constraint(at.command.name)
    recurse = _is_partitioned(at.relation) or (known is not None and known.kind in ("check", "not_null"))
    yield from spread(at.name, AX, at.session, recurse=recurse)
    if known is not None and known.references:
        yield from spread(known.references, AX, at.session)
    elif known is not None and known.kind in ("primary", "unique") and at.command.behavior == pg.DROP_CASCADE:
        for child, key in pointing_keys(at.relation, at.session):
            if set(key.referenced_columns) == set(known.columns):
                yield from spread(child, AX, at.session)


def _at_alter_constraint(at: Subcommand) -> Iterator[Touch]:
    change = getattr(at.command, "def").atalter_constraint
    known = at.relation.constraint(change.conname)
    is_turned = bool(change.alter_enforceability) and known is not None and known.references is not None
    # PostgreSQL 18: enforcing a key again is adding it, to enforce it no longer is dropping its triggers.
    scan = is_turned and change.is_enforced
    yield from spread(at.name, AX, at.session, scan=scan, recurse=_is_partitioned(at.relation))
    if is_turned and known is not None and known.references is not None:
        yield from spread(known.references, SRX if scan else AX, at.session, scan=scan)


def _at_expression(at: Subcommand) -> Iterator[Touch]:
    """SET EXPRESSION (PostgreSQL 17+) computes a stored column anew; a virtual one (18) is only defined."""
    known = at.relation.facts.columns.get(at.command.name) if at.relation.facts else None
    is_virtual = known is not None and known.generated == "v"
    yield from _spread(at, AX, scan=not is_virtual, rewrite=not is_virtual)


def _at_inherit(at: Subcommand) -> Iterator[Touch]:
    yield Touch(at.name, AX)
    parent = names.of_range(getattr(at.command, "def").range_var)
    yield Touch(parent, SUE if at.command.subtype == pg.AT_AddInherit else AS)


def _at_options(at: Subcommand) -> Iterator[Touch]:
    """Storage parameters; those of views, and the one for logical decoding, change what queries do."""
    facts = at.relation.facts
    is_view = (facts is not None and facts.kind == "view") or (facts is None and at.relation.is_view)
    options = (item.def_elem.defname for item in getattr(at.command, "def").list.items)
    yield Touch(at.name, AX if is_view or "user_catalog_table" in options else SUE)


def _at_triggers(at: Subcommand) -> Iterator[Touch]:
    """The triggers of a partitioned table have a copy on each partition."""
    facts = at.relation.facts
    recurse = facts is not None and facts.kind == "partitioned" and bool(facts.triggers or facts.referenced_by)
    yield from spread(at.name, SRX, at.session, recurse=recurse and not at.is_only)


def _at_persistence(at: Subcommand) -> Iterator[Touch]:
    wanted = "p" if at.command.subtype == pg.AT_SetLogged else "u"
    rewrite = at.relation.facts is None or at.relation.facts.persistence != wanted
    yield from (
        _spread(at, AX, rewrite=rewrite) if _is_partitioned(at.relation) else [Touch(at.name, AX, rewrite, rewrite)]
    )


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
    recurse = _is_partitioned(at.relation) and at.session.server_version >= 170000
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
    pg.AT_AddConstraint: _at_add_constraint,
    pg.AT_ValidateConstraint: _at_validate,
    pg.AT_SetNotNull: _at_not_null,
    pg.AT_DropConstraint: _at_drop_constraint,
    pg.AT_AlterConstraint: _at_alter_constraint,
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
