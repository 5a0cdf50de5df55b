"""The locks of DROP, TRUNCATE, DROP OWNED and REASSIGN OWNED: all ACCESS EXCLUSIVE but for indexes and statistics."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import names
from migrations_app.engines.risk.locking.lock_family import heirs, spread, taken_along, told_tables
from migrations_app.engines.risk.locking.lock_modes import AX, SUE, Touch
from migrations_app.engines.risk.names import Node
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def drop(statement: Statement, session: Session) -> Iterator[Touch]:
    """DROP of anything: the named, and what goes with it."""
    node = statement.node
    touching = _DROPS.get(node.remove_type)
    if touching is not None:
        for item in node.objects:
            yield from touching(names.of_object(item), node, session)


def _relation(name: str, node: Node, session: Session) -> Iterator[Touch]:
    if node.missing_ok and session.relation(name).is_absent:
        yield Touch(name, None)
        return
    yield Touch(name, AX)
    yield from taken_along(session.relation(name), session, cascade=node.behavior == pg.DROP_CASCADE)


def _index(name: str, node: Node, session: Session) -> Iterator[Touch]:
    owner = session.index_table(name)
    if owner is not None:
        yield from spread(owner.name, SUE if node.concurrent else AX, session)
    elif not (node.missing_ok and (session.knows_all or session.relation(name).is_absent)):
        yield Touch(f"the table of {name}", SUE if node.concurrent else AX)


def _on_table(name: str, node: Node, session: Session) -> Iterator[Touch]:
    """A trigger, rule or policy, which is named after its table."""
    table, _, own = name.rpartition(".")
    relation = session.relation(table)
    facts = relation.facts
    if node.missing_ok and facts is not None:
        known = {
            pg.OBJECT_TRIGGER: [trigger.name for trigger in facts.triggers],
            pg.OBJECT_POLICY: facts.policies,
            pg.OBJECT_RULE: facts.rules,
        }[node.remove_type]
        if own not in known and not session.made_here("trigger", own):
            # PostgreSQL looks it up before it locks the table.
            yield Touch(table, None)
            return
    # The trigger of a partitioned table has a copy on each partition.
    yield from spread(table, AX, session, recurse=node.remove_type == pg.OBJECT_TRIGGER and _is_partitioned(relation))


def _is_partitioned(relation: object) -> bool:
    facts = getattr(relation, "facts", None)
    return facts is not None and facts.kind == "partitioned"


def _schema(name: str, node: Node, session: Session) -> Iterator[Touch]:
    if session.made_here("schema", name):
        return
    cascade = node.behavior == pg.DROP_CASCADE
    known = session.tables_in(name)
    is_told = session.facts is not None and name in session.facts.schemas
    if not known and not is_told and not session.knows_all and cascade:
        # There may be some that nobody asked about: these words stand for them.
        yield Touch(f"the tables in {name}", AX)
    for table in known:
        # PostgreSQL locks what is inside before it refuses to drop a schema that is not empty.
        yield Touch(table, AX)
        if cascade:
            yield from taken_along(session.relation(table), session, cascade=True)
    if session.facts is not None:
        yield from (Touch(table, AX) for table in told_tables(session.facts.schemas.get(name, ()), session))


def _type(name: str, node: Node, session: Session) -> Iterator[Touch]:
    if session.made_here("type", name):
        return
    # A type in use is not dropped without CASCADE, but its tables are locked before that is found out.
    known = tables_of_type(name, session)
    if not known and not session.knows_all and node.behavior == pg.DROP_CASCADE:
        known = [f"the tables with a column of type {name}"]
    yield from (Touch(table, AX) for table in known)


def tables_of_type(name: str, session: Session) -> list[str]:
    """The tables with a column of this type, and those that are typed by it."""
    facts = session.facts.type_of(name) if session.facts else None
    by_catalog = [column.rpartition(".")[0] for column in facts.columns] if facts else []
    return list(dict.fromkeys([*by_catalog, *session.tables_with_type(name)]))


def _sequence(name: str, node: Node, session: Session) -> Iterator[Touch]:
    facts = session.facts.sequence(name) if session.facts else None
    if node.behavior == pg.DROP_CASCADE and not session.made_here("sequence", name):
        # Only defaults go, but their tables are locked as for DROP COLUMN.
        known = (
            told_tables(facts.used_by, session) if facts is not None else _unknown("with a default of", name, session)
        )
        yield from (Touch(table, AX) for table in known)


def _routine(name: str, node: Node, session: Session) -> Iterator[Touch]:
    if node.behavior != pg.DROP_CASCADE or session.made_here("function", name):
        return
    overloads = session.facts.function(name) if session.facts is not None else ()
    for overload in overloads:
        yield from (Touch(table, AX) for table in told_tables(overload.dependents, session))
    if not overloads:
        yield from (Touch(table, AX) for table in _unknown("that call", name, session))


def _extension(name: str, node: Node, session: Session) -> Iterator[Touch]:
    if node.behavior == pg.DROP_CASCADE and not session.made_here("extension", name):
        told = session.facts.extensions.get(name) if session.facts is not None else None
        known = told_tables(told, session) if told is not None else _unknown("that use extension", name, session)
        yield from (Touch(table, AX) for table in known)


def _server(name: str, node: Node, _session: Session) -> Iterator[Touch]:
    if node.behavior == pg.DROP_CASCADE:
        # The catalog facts do not tell the server of a foreign table.
        yield Touch(f"the foreign tables of server {name}", AX)


def _statistics(name: str, _node: Node, _session: Session) -> Iterator[Touch]:
    yield Touch(f"the table of statistics {name}", SUE)


def _unknown(how: str, name: str, session: Session) -> list[str]:
    """Words in place of tables that nobody asked about."""
    return [] if session.knows_all else [f"the tables {how} {name}"]


def truncate(statement: Statement, session: Session) -> Iterator[Touch]:
    """Also children unless ONLY was said, and by CASCADE every table that references one of them, at any depth."""
    cascade = statement.node.behavior == pg.DROP_CASCADE
    done: set[str] = set()
    waiting = []
    for item in statement.node.relations:
        name = names.of_range(item.range_var)
        waiting.append(name)
        if item.range_var.inh:
            waiting.extend(heirs(session.relation(name), session))
    while waiting:
        name = waiting.pop(0)
        if name in done:
            continue
        done.add(name)
        yield Touch(name, AX)
        facts = session.relation(name).facts
        if cascade and facts is not None:
            waiting.extend(facts.referenced_by)


def owned(statement: Statement, session: Session) -> Iterator[Touch]:
    """DROP OWNED and REASSIGN OWNED: every table that belongs to the role, as far as the catalog tells."""
    # A role that the input made owns nothing but what it made too.
    named = {item.role_spec.rolename for item in statement.node.roles}
    roles = {name for name in named if not session.made_here("role", name)}
    if roles and not session.knows_all:
        yield Touch(f"the tables that belong to {', '.join(sorted(roles))}", AX)
    if session.facts is None:
        return
    drops = statement.node_name == "drop_owned_stmt"
    for name, table in session.facts.tables.items():
        if table.owner in roles:
            yield Touch(name, AX)
            if drops:
                cascade = statement.node.behavior == pg.DROP_CASCADE
                yield from taken_along(session.relation(name), session, cascade=cascade)


_DROPS: dict[int, Callable[[str, Node, Session], Iterator[Touch]]] = {
    pg.OBJECT_TABLE: _relation,
    pg.OBJECT_VIEW: _relation,
    pg.OBJECT_MATVIEW: _relation,
    pg.OBJECT_FOREIGN_TABLE: _relation,
    pg.OBJECT_INDEX: _index,
    pg.OBJECT_TRIGGER: _on_table,
    pg.OBJECT_POLICY: _on_table,
    pg.OBJECT_RULE: _on_table,
    pg.OBJECT_SCHEMA: _schema,
    pg.OBJECT_TYPE: _type,
    pg.OBJECT_DOMAIN: _type,
    pg.OBJECT_SEQUENCE: _sequence,
    pg.OBJECT_FUNCTION: _routine,
    pg.OBJECT_PROCEDURE: _routine,
    pg.OBJECT_ROUTINE: _routine,
    pg.OBJECT_EXTENSION: _extension,
    pg.OBJECT_FOREIGN_SERVER: _server,
    pg.OBJECT_STATISTIC_EXT: _statistics,
}
