"""Which other tables a lock reaches: partitions and children, both ends of foreign keys, what CASCADE takes along."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from migrations_app.engines.risk.facts import ConstraintFacts, TableFacts
from migrations_app.engines.risk.locking.lock_modes import AX, Touch
from migrations_app.engines.risk.session import Relation, Session

_RELATION_WORDS = ("view ", "materialized view ", "table ", "foreign table ", "partition ", "child table ")
_COLUMN_WORDS = ("column ", "generated column ", "default of ")
_DEPTH = 32
"""Partitions of partitions and views of views are followed this far."""


def heirs(relation: Relation, session: Session, depth: int = 0) -> Iterator[str]:
    """Partitions and inheritance children at any depth, as far as the catalog tells."""
    if relation.facts is not None and depth < _DEPTH:
        for child in relation.facts.partitions:
            yield child
            yield from heirs(session.relation(child), session, depth + 1)


def has_storage(relation: Relation) -> bool:
    """Whether there is anything to scan or rewrite: views, foreign and partitioned tables hold nothing themselves."""
    return relation.facts is None or relation.facts.kind in ("table", "matview")


def spread(
    name: str, mode: str, session: Session, *, scan: bool = False, rewrite: bool = False, recurse: bool = True
) -> Iterator[Touch]:
    """The lock on a table and, unless ONLY was said, the same on all that inherit from it."""
    relation = session.relation(name)
    stores = has_storage(relation)
    yield Touch(name, mode, scan and stores, rewrite and stores)
    if recurse and relation.facts is not None and relation.facts.partitions:
        for child in heirs(relation, session):
            stores = has_storage(session.relation(child))
            yield Touch(child, mode, scan and stores, rewrite and stores)


def foreign_keys(relation: Relation) -> Iterator[ConstraintFacts]:
    """Those that the table has."""
    return (constraint for constraint in relation.known_constraints() if constraint.references)


def pointing_keys(relation: Relation, session: Session) -> Iterator[tuple[str, ConstraintFacts]]:
    """The foreign keys of other tables that reference this one, each with its table."""
    if relation.facts is None:
        return
    for child in relation.facts.referenced_by:
        other = session.relation(child)
        for key in foreign_keys(other):
            if key.references is not None and session.relation(key.references) is relation:
                yield child, key


def referenced(relation: Relation, mode: str, session: Session) -> Iterator[Touch]:
    """The lock on each table that a foreign key of this one references."""
    for key in foreign_keys(relation):
        if key.references is not None:
            yield from spread(key.references, mode, session)


def told_tables(words: Iterable[str], session: Session) -> Iterator[str]:
    """The relations that are meant by "view public.v", "foreign key k of public.t", "column public.t.c"."""
    for told in words:
        if told.startswith(_RELATION_WORDS):
            yield next(told.removeprefix(kind) for kind in _RELATION_WORDS if told.startswith(kind))
        elif told.startswith(_COLUMN_WORDS):
            yield next(told.removeprefix(k) for k in _COLUMN_WORDS if told.startswith(k)).rpartition(".")[0]
        elif told.startswith("index "):
            owner = session.index_table(told.removeprefix("index "))
            yield owner.name if owner is not None else f"the table of {told.removeprefix('index ')}"
        elif " of " in told:
            yield told.rpartition(" of ")[2]


def taken_along(relation: Relation, session: Session, *, cascade: bool, depth: int = 0) -> Iterator[Touch]:
    """What a DROP of this table locks besides it: partitions, both ends of foreign keys; by CASCADE its dependents."""
    facts = relation.facts
    if facts is None or not facts.partition_of:
        yield from referenced(relation, AX, session)
    if facts is None or depth >= _DEPTH:
        return
    if facts.partition_of:
        parent = session.relation(facts.partition_of).facts
        yield from _own_references(relation, parent, session)
        if parent is not None and parent.default_partition:
            yield Touch(parent.default_partition, AX)
        # A foreign key that references the parent is checked on each of its partitions.
        yield Touch(facts.partition_of, AX)
        yield from (Touch(child, AX) for child in (parent.referenced_by if parent else ()) if cascade)
    for child in facts.partitions if cascade or facts.kind == "partitioned" else ():
        yield Touch(child, AX)
        yield from taken_along(session.relation(child), session, cascade=cascade, depth=depth + 1)
    if cascade:
        yield from (Touch(child, AX) for child in facts.referenced_by)
        yield from (Touch(name, AX) for name in told_tables(facts.dependents, session))


def _own_references(relation: Relation, parent: TableFacts | None, session: Session) -> Iterator[Touch]:
    """What a partition references by keys of its own: for those from its parent only the parent's key has triggers."""
    inherited = {(key.columns, key.references) for key in parent.constraints} if parent else set()
    for key in foreign_keys(relation):
        if key.references is not None and (key.columns, key.references) not in inherited:
            yield from spread(key.references, AX, session)
