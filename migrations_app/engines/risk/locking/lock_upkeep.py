"""The locks of VACUUM, ANALYZE, CLUSTER, REINDEX, REFRESH and LOCK TABLE."""

from __future__ import annotations

from collections.abc import Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import names
from migrations_app.engines.risk.locking.lock_family import spread
from migrations_app.engines.risk.locking.lock_modes import AS, AX, EX, MODES, SH, SUE, Touch
from migrations_app.engines.risk.names import Node
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement

_OFF = {"false", "off", "0", "no"}


def vacuum(statement: Statement, session: Session) -> Iterator[Touch]:
    """VACUUM and ANALYZE let everybody go on; FULL writes the table anew. Without a name every table is meant."""
    is_full = any(option.def_elem.defname == "full" and is_on(option.def_elem) for option in statement.node.options)
    # ANALYZE reads a sample of fixed size.
    scan = statement.node.is_vacuumcmd
    tables = [names.of_range(item.vacuum_relation.relation) for item in statement.node.rels]
    if not tables:
        known = session.facts.tables if session.facts is not None else {}
        tables = [key for key, facts in known.items() if facts.kind not in ("view", "foreign")]
        tables += [] if session.knows_all else ["every table"]
    for name in tables:
        yield from spread(name, AX if is_full else SUE, session, scan=scan, rewrite=is_full)


def is_on(option: Node) -> bool:
    """Whether a (NAME value) option is set; the bare name sets it."""
    if not option.HasField("arg"):
        return True
    kind = option.arg.WhichOneof("node")
    value = getattr(option.arg, kind)
    told = {"string": "sval", "integer": "ival", "boolean": "boolval"}.get(kind)
    return str(getattr(value, told)).lower() not in _OFF if told else True


def cluster(statement: Statement, session: Session) -> Iterator[Touch]:
    if statement.node.HasField("relation"):
        yield from spread(names.of_range(statement.node.relation), AX, session, scan=True, rewrite=True)


def reindex(statement: Statement, session: Session) -> Iterator[Touch]:
    """SHARE on the table, CONCURRENTLY (PostgreSQL 12+) SHARE UPDATE EXCLUSIVE; the index itself is out of use."""
    node = statement.node
    concurrently = any(o.def_elem.defname == "concurrently" and is_on(o.def_elem) for o in node.params)
    mode = SUE if concurrently else SH
    if node.kind in (pg.REINDEX_OBJECT_TABLE, pg.REINDEX_OBJECT_INDEX) and node.HasField("relation"):
        name = names.of_range(node.relation)
        owner = session.index_table(name) if node.kind == pg.REINDEX_OBJECT_INDEX else session.relation(name)
        yield from spread(owner.name if owner else f"the table of {name}", mode, session, scan=True)
        return
    whole = node.kind != pg.REINDEX_OBJECT_SCHEMA
    if not session.knows_all:
        yield Touch("every table" if whole else f"the tables in {node.name}", mode, scan=True)
    if session.facts is not None:
        for key, facts in session.facts.tables.items():
            if facts.kind in ("table", "matview") and (whole or facts.schema == node.name):
                yield Touch(key, mode, scan=True)


def refresh(statement: Statement, session: Session) -> Iterator[Touch]:
    """The view is filled anew by its query; CONCURRENTLY it is compared and can be read meanwhile."""
    node = statement.node
    name = names.of_range(node.relation)
    yield Touch(name, EX if node.concurrent else AX, scan=True, rewrite=not node.concurrent)
    facts = session.relation(name).facts
    if facts is not None and not node.skip_data:
        for below in facts.reads:
            yield from spread(below, AS, session, scan=True)


def lock(statement: Statement, session: Session) -> Iterator[Touch]:
    """LOCK TABLE: children too unless ONLY was said, and what a view reads."""
    mode = MODES[statement.node.mode - 1]
    for item in statement.node.relations:
        name = names.of_range(item.range_var)
        yield from spread(name, mode, session, recurse=item.range_var.inh)
        relation = session.relation(name)
        if relation.facts is not None and relation.facts.kind == "view":
            for below in _below(name, session, set()):
                yield from spread(below, mode, session)


def _below(name: str, session: Session, seen: set[str]) -> Iterator[str]:
    facts = session.relation(name).facts
    for read in facts.reads if facts is not None and facts.kind == "view" else ():
        if read not in seen:
            seen.add(read)
            yield read
            yield from _below(read, session, seen)
