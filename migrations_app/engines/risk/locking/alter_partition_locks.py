"""The locks of ATTACH and DETACH PARTITION and of a new partition. What is read unless a CHECK proves it is read."""

from __future__ import annotations

import re
from collections.abc import Iterator

from migrations_app.engines.risk import names
from migrations_app.engines.risk.locking.alter_subcommand import Subcommand
from migrations_app.engines.risk.locking.lock_family import referenced, spread
from migrations_app.engines.risk.locking.lock_modes import AX, SRX, SUE, Touch
from migrations_app.engines.risk.names import Node
from migrations_app.engines.risk.session import Relation, Session

_KEY = re.compile(r"\w+ \(\"?([^(),\"]+)\"?\)\Z")


def attach(at: Subcommand) -> Iterator[Touch]:
    """The parent goes on being used (PostgreSQL 12+); the new partition is read, and so is the default partition."""
    command = getattr(at.command, "def").partition_cmd
    if not command.HasField("bound"):
        # ALTER INDEX ... ATTACH PARTITION.
        return
    name = names.of_range(command.name)
    yield Touch(at.name, SUE)
    child = at.session.relation(name)
    key = _key_column(at.relation)
    scan = not (_is_inside(child, key, command.bound) and _has_indexes_of(at.relation, child))
    yield from spread(name, AX, at.session, scan=scan)
    yield from beside_new_partition(at.relation, command.bound, at.session)


def beside_new_partition(parent: Relation, bound: Node, session: Session) -> Iterator[Touch]:
    """The default partition, whose rows may belong in the new one; both ends of the parent's foreign keys."""
    facts = parent.facts
    if facts is None:
        return
    yield from referenced(parent, SRX, session)
    yield from (Touch(other, SRX) for other in facts.referenced_by)
    if facts.default_partition and not bound.is_default:
        default = session.relation(facts.default_partition)
        scan = not _is_outside(default, _key_column(parent), bound)
        yield from spread(facts.default_partition, AX, session, scan=scan)


def detach(at: Subcommand) -> Iterator[Touch]:
    """CONCURRENTLY (PostgreSQL 14+) only the partition is locked exclusively, at the end and for a moment."""
    command = getattr(at.command, "def").partition_cmd
    name = names.of_range(command.name)
    yield Touch(at.name, SUE if command.concurrent else AX)
    facts = at.relation.facts
    is_referenced = facts is not None and bool(facts.referenced_by)
    yield from spread(name, AX, at.session, scan=is_referenced)
    if facts is None:
        return
    # The foreign keys that the partition had from its parent become its own.
    yield from referenced(at.relation, SRX, at.session)
    # Rows that reference the partition would dangle: each foreign key on the parent is checked.
    yield from (Touch(other, AX, scan=True) for other in facts.referenced_by)
    if facts.default_partition and not command.concurrent:
        yield Touch(facts.default_partition, AX)


def finalize(at: Subcommand) -> Iterator[Touch]:
    """The rest of a DETACH ... CONCURRENTLY that was broken off."""
    yield Touch(at.name, SUE)
    yield Touch(names.of_range(getattr(at.command, "def").partition_cmd.name), AX)


def _key_column(parent: Relation) -> str | None:
    """The one column that the parent is partitioned by; None when it is more than that, or unknown."""
    match = _KEY.match(parent.facts.partition_key) if parent.facts else None
    return match.group(1) if match else None


def _has_indexes_of(parent: Relation, child: Relation) -> bool:
    """Whether each index of the parent has its like on the child; one that is missing is built."""
    if parent.facts is None or child.facts is None:
        return True
    have = {(index.columns, index.unique, index.method) for index in child.facts.indexes if index.valid}
    return all((index.columns, index.unique, index.method) in have for index in parent.facts.indexes)


def _is_inside(relation: Relation, column: str | None, bound: Node) -> bool:
    """Whether a valid CHECK proves that every row lies within the bound."""
    if column is not None and not _forbids_null(relation, column):
        return False
    return any(_says_inside(text, column, bound) for text in _checks(relation))


def _is_outside(relation: Relation, column: str | None, bound: Node) -> bool:
    return any(_says_outside(text, column, bound) for text in _checks(relation))


def _checks(relation: Relation) -> list[str]:
    known = relation.known_constraints()
    return [constraint.definition for constraint in known if constraint.kind == "check" and constraint.validated]


def _forbids_null(relation: Relation, column: str) -> bool:
    if relation.column(column).not_null:
        return True
    return any(f"{names.quoted(column)} is not null" in text.lower() for text in _checks(relation))


def _says_inside(text: str, column: str | None, bound: Node) -> bool:
    lower, upper = _values(bound.lowerdatums), _values(bound.upperdatums)
    if len(lower) == len(upper) == 1 and " OR " not in text.upper():
        return _compares(text, column, ">=", lower[0]) and _compares(text, column, "<", upper[0])
    listed = _values(bound.listdatums)
    return len(listed) == 1 and _compares(text, column, "=", listed[0])


def _says_outside(text: str, column: str | None, bound: Node) -> bool:
    lower, upper = _values(bound.lowerdatums), _values(bound.upperdatums)
    if len(lower) == len(upper) == 1:
        return _compares(text, column, "<", lower[0]) and _compares(text, column, ">=", upper[0])
    return False


def _values(datums: Node) -> list[str]:
    """Constants as text; what is none stands for nothing that a CHECK could say."""
    found = []
    for datum in datums:
        constant = datum.a_const
        which = constant.WhichOneof("val") if datum.WhichOneof("node") == "a_const" else None
        found.append({"ival": str(constant.ival.ival), "sval": constant.sval.sval}.get(which or "", "\0"))
    return found


def _compares(text: str, column: str | None, operator: str, value: str) -> bool:
    name = re.escape(names.quoted(column)) if column is not None else r"[\w\"]+"
    return bool(re.search(rf"\b{name}\)? {operator} '?{re.escape(value)}'?(?!\d)", text))
