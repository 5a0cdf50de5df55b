"""ALTER COLUMN ... TYPE: whether the table is written anew, or read for its CHECKs and indexes."""

from __future__ import annotations

import re
from typing import NamedTuple

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import column_types, names
from migrations_app.engines.risk.column_types import ColumnType
from migrations_app.engines.risk.facts import IndexFacts, TypeFacts
from migrations_app.engines.risk.names import Node
from migrations_app.engines.risk.session import Relation, Session

_UTC = {"utc", "gmt", "etc/utc", "etc/gmt", "zulu", "etc/zulu", "uct", "etc/uct", "universal", "etc/universal", "0",
        "etc/gmt+0", "etc/gmt-0", "etc/gmt0", "gmt0", "gmt+0", "gmt-0", "greenwich", "etc/greenwich", "00:00:00",
        "+0", "-0", "+00", "+00:00"}  # fmt: skip
# The types of each group are compared and sorted alike, so that an index on one serves the other.
_INDEXED_ALIKE = ({"text", "varchar"}, {"inet", "cidr"})
_COLLATED = {"text", "varchar", "bpchar", "citext", "name"}


class Change(NamedTuple):
    """What the new type costs. A rewrite reads everything too."""

    rewrite: bool
    scan: bool


def change_of(relation: Relation, command: Node, session: Session) -> Change:
    """Whether the table is rewritten, or scanned for its CHECKs or for an index that is built anew."""
    definition = getattr(command, "def").column_def
    new = column_types.from_node(definition.type_name)
    spelled = relation.column(command.name).type
    old = column_types.parse(spelled) if spelled else None
    using = definition.raw_default if definition.HasField("raw_default") else None
    if is_rewritten(old, new, command.name, using, session):
        return Change(rewrite=True, scan=True)
    collation = names.of_strings(definition.coll_clause.collname) if definition.HasField("coll_clause") else None
    return Change(rewrite=False, scan=_is_rechecked(relation, command.name, old, new, collation))


def is_rewritten(old: ColumnType | None, new: ColumnType, column: str, using: Node | None, session: Session) -> bool:
    """Whether a change of type, by this USING expression if any, computes every value anew."""
    steps = [] if using is None else _casts(using, column)
    if steps is None:
        return True
    at = old
    for step in (*steps, new):
        if _step_rewrites(at, step, session):
            return True
        at = step
    return False


def _casts(using: Node, column: str) -> list[ColumnType] | None:
    """The types that the column is cast to one after the other; None when the expression is more than casts."""
    kind = using.WhichOneof("node")
    if kind == "column_ref":
        return [] if names.of_strings(using.column_ref.fields).rpartition(".")[2] == column else None
    if kind == "type_cast":
        below = _casts(using.type_cast.arg, column)
        return None if below is None else [*below, column_types.from_node(using.type_cast.type_name)]
    if kind == "collate_clause":
        return _casts(using.collate_clause.arg, column)
    return None


def _step_rewrites(old: ColumnType | None, new: ColumnType, session: Session) -> bool:
    if old == new:
        return False
    target = domain(new.base, session)
    if target is not None and not new.dimensions:
        if target.checks or target.not_null:
            return True
        new = column_types.parse(target.base) or new
    source = domain(old.base, session) if old is not None else None
    if source is not None and old is not None and not old.dimensions:
        old = column_types.parse(source.base) or old
    rewrites = column_types.rewrites(old, new, version=session.server_version)
    if rewrites is None and old is not None:
        # timestamp and timestamptz: the same numbers as long as the session's zone is UTC (PostgreSQL 12+).
        zone = session.setting("timezone")
        return zone is None or zone.strip().lower() not in _UTC or column_types.rewrites_times(new)
    return rewrites is True


def domain(name: str, session: Session) -> TypeFacts | None:
    """The domain of this name, from the input or the catalog."""
    if session.made_here("type", name):
        for statement in session.statements:
            if statement.node_name == "create_domain_stmt":
                node = statement.node
                if names.bare(names.of_strings(node.domainname)) == names.bare(name):
                    return _made_domain(node)
        return None
    found = session.facts.type_of(name) if session.facts else None
    return found if found is not None and found.kind == "domain" else None


def _made_domain(node: Node) -> TypeFacts:
    kinds = [item.constraint.contype for item in node.constraints]
    checks = {str(place): True for place, kind in enumerate(kinds) if kind == pg.CONSTR_CHECK}
    return TypeFacts("domain", column_types.spell(node.type_name), not_null=pg.CONSTR_NOTNULL in kinds, checks=checks)


def _is_rechecked(
    relation: Relation, column: str, old: ColumnType | None, new: ColumnType, collation: str | None
) -> bool:
    """Whether a CHECK has to be verified again, or an index to be built again, although no value changes."""
    checks = [known for known in relation.known_constraints() if known.kind == "check" and known.validated]
    if not checks and relation.facts is None:
        return False
    word = re.compile(rf"(?<!\w){re.escape(names.quoted(column))}(?!\w)")
    if any(column in check.columns or word.search(check.definition) for check in checks):
        return True
    if relation.facts is None:
        return False
    # An index of a partitioned table is always built again on each partition.
    alike = (
        relation.facts.kind != "partitioned"
        and _is_indexed_alike(old, new)
        and _same_collation(relation, column, new, collation)
    )
    return any(_is_rebuilt(index, column, word, is_alike=alike) for index in relation.facts.indexes)


def _is_rebuilt(index: IndexFacts, column: str, word: re.Pattern[str], *, is_alike: bool) -> bool:
    is_plain = "" not in index.columns and not index.predicate
    if is_plain:
        return column in index.columns and not is_alike
    # An index with an expression or a predicate is never taken over as it is.
    told = index.definition.partition(" USING ")[2] or index.predicate
    return column in index.columns or bool(word.search(told))


def _is_indexed_alike(old: ColumnType | None, new: ColumnType) -> bool:
    if old is None or old.base == new.base:
        return True
    return any(old.base in group and new.base in group for group in _INDEXED_ALIKE)


def _same_collation(relation: Relation, column: str, new: ColumnType, collation: str | None) -> bool:
    known = relation.facts.columns.get(column) if relation.facts else None
    before = known.collation if known is not None else None
    if new.base not in _COLLATED or collation == "default":
        return before is None or new.base not in _COLLATED
    return names.bare(before or "").strip('"') == names.bare(collation or "")
