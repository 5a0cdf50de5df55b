"""The locks of constraints in ALTER TABLE: what is checked against every row, and which other tables it takes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import names
from migrations_app.engines.risk.locking.alter_subcommand import Subcommand
from migrations_app.engines.risk.locking.lock_family import has_storage, heirs, pointing_keys, spread
from migrations_app.engines.risk.locking.lock_modes import AX, RS, SH, SRX, SUE, Touch
from migrations_app.engines.risk.names import Node
from migrations_app.engines.risk.session import Relation


def add_constraint(at: Subcommand) -> Iterator[Touch]:
    constraint = getattr(at.command, "def").constraint
    kind = constraint.contype
    scan = not constraint.skip_validation
    if kind == pg.CONSTR_FOREIGN:
        # Only partitions have the key as well, children by inheritance do not.
        yield from spread(at.name, SRX, at.session, scan=scan, recurse=at.is_partitioned)
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
        if at.session.server_version >= _NOT_NULL_CONSTRAINTS:
            yield from (Touch(child, AX) for child in heirs(at.relation, at.session))
    elif kind == pg.CONSTR_CHECK:
        yield from at.spread(AX, scan=scan)
    else:
        yield from _indexed(at, scan=scan, is_key=kind == pg.CONSTR_PRIMARY)


def _indexed(at: Subcommand, *, scan: bool, is_key: bool) -> Iterator[Touch]:
    """UNIQUE, PRIMARY KEY and EXCLUDE build an index, of a partitioned table on each partition."""
    yield Touch(at.name, AX, scan and has_storage(at.relation))
    if at.is_only or not at.is_partitioned:
        return
    # Before PostgreSQL 18 partitions are locked only for the build, unless NOT NULL comes with it.
    mode = AX if is_key or at.session.server_version >= _NOT_NULL_CONSTRAINTS else SH
    for child in heirs(at.relation, at.session):
        yield Touch(child, mode, scan and has_storage(at.session.relation(child)))


_NOT_NULL_CONSTRAINTS = 180000
"""From PostgreSQL 18 on NOT NULL is a constraint of its own; [measured on 15 and 18, not between]."""


def validate(at: Subcommand) -> Iterator[Touch]:
    known = at.relation.constraint(at.command.name)
    if known is not None and known.validated:
        yield Touch(at.name, SUE)
        return
    recurse = known is None or known.kind != "foreign" or at.is_partitioned
    yield from spread(at.name, SUE, at.session, scan=True, recurse=recurse)
    if known is not None and known.references:
        yield from spread(known.references, RS, at.session, scan=True)


def not_null(at: Subcommand) -> Iterator[Touch]:
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


def drop_constraint(at: Subcommand) -> Iterator[Touch]:
    known = at.relation.constraint(at.command.name)
    recurse = at.is_partitioned or (known is not None and known.kind in ("check", "not_null"))
    yield from spread(at.name, AX, at.session, recurse=recurse)
    if known is not None and known.references:
        yield from spread(known.references, AX, at.session)
    elif known is not None and known.kind in ("primary", "unique") and at.command.behavior == pg.DROP_CASCADE:
        for child, key in pointing_keys(at.relation, at.session):
            if set(key.referenced_columns) == set(known.columns):
                yield from spread(child, AX, at.session)


def alter_constraint(at: Subcommand) -> Iterator[Touch]:
    change = getattr(at.command, "def").atalter_constraint
    known = at.relation.constraint(change.conname)
    is_turned = bool(change.alter_enforceability) and known is not None and known.references is not None
    # PostgreSQL 18: enforcing a key again is adding it, to enforce it no longer is dropping its triggers.
    scan = is_turned and change.is_enforced
    yield from spread(at.name, AX, at.session, scan=scan, recurse=at.is_partitioned)
    if is_turned and known is not None and known.references is not None:
        yield from spread(known.references, SRX if scan else AX, at.session, scan=scan)
