"""The locks of CREATE, RENAME, SET SCHEMA, types and domains."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import names
from migrations_app.engines.risk import statements as parsing
from migrations_app.engines.risk.locking import alter_partition_locks, lock_marks, lock_queries, query_tables
from migrations_app.engines.risk.locking.lock_drops import tables_of_type
from migrations_app.engines.risk.locking.lock_family import spread
from migrations_app.engines.risk.locking.lock_modes import AS, AX, RX, SH, SRX, SUE, Touch
from migrations_app.engines.risk.names import Node, inner
from migrations_app.engines.risk.session import Relation, Session
from migrations_app.engines.risk.statements import Statement
from migrations_app.errors import TidegateError

Touches = Iterator[Touch]
_RELATIONS = {pg.OBJECT_TABLE, pg.OBJECT_VIEW, pg.OBJECT_MATVIEW, pg.OBJECT_FOREIGN_TABLE}


def is_partitioned(relation: Relation) -> bool:
    """Whether the catalog says that it is a partitioned table."""
    return relation.facts is not None and relation.facts.kind == "partitioned"


def create_table(statement: Statement, session: Session) -> Touches:
    """A new table touches what its foreign keys reference, its parents, and what it is like."""
    node = statement.node.base_stmt if statement.node_name == "create_foreign_table_stmt" else statement.node
    yield from _new_table(node, session)


def _new_table(node: Node, session: Session) -> Touches:
    own = names.of_range(node.relation)
    yield Touch(own, None)
    for item in node.inh_relations:
        parent = names.of_range(item.range_var)
        if not node.HasField("partbound"):
            yield Touch(parent, SUE)
            continue
        yield Touch(parent, AX)
        yield from alter_partition_locks.beside_new_partition(session.relation(parent), node.partbound, session)
    for element in map(inner, node.table_elts):
        kind = element.DESCRIPTOR.name
        if kind == "TableLikeClause":
            yield Touch(names.of_range(element.relation), AS)
        keys = [element] if kind == "Constraint" else []
        if kind == "ColumnDef":
            keys = [item.constraint for item in element.constraints]
        for key in keys:
            if key.contype == pg.CONSTR_FOREIGN and names.of_range(key.pktable) != own:
                yield from spread(names.of_range(key.pktable), SRX, session)


def create_table_as(statement: Statement, session: Session) -> Touches:
    """What it reads is a statement of its own, unless it is only read for its meaning."""
    into = statement.node.into
    yield Touch(names.of_range(into.rel), None)
    if into.skip_data and statement.node.query.WhichOneof("node") == "select_stmt":
        yield from lock_queries.planned(statement.node.query.select_stmt, "select_stmt", session)


def create_schema(statement: Statement, session: Session) -> Touches:
    """CREATE SCHEMA may make tables at once."""
    for element in statement.node.schema_elts:
        if element.WhichOneof("node") == "create_stmt":
            yield from _new_table(element.create_stmt, session)


def create_view(statement: Statement, session: Session) -> Touches:
    """The query is only read for its meaning: views in it are not looked behind."""
    name = names.of_range(statement.node.view)
    relation = session.relation(name)
    replaces = statement.node.replace and (relation.facts is not None or not session.knows_all)
    yield Touch(name, AX if replaces else None)
    yield from (touch for touch in _parsed(statement.node.query.select_stmt) if touch.name != name)


def _parsed(query: Node) -> Touches:
    found: query_tables.Found = []
    query_tables.of_select(query, frozenset(), found)
    yield from (Touch(read.name, read.mode) for read in found)


def create_index(statement: Statement, session: Session) -> Touches:
    """A build reads the table; of a partitioned one, each partition, unless ONLY was said."""
    node = statement.node
    name = names.of_range(node.relation)
    mode = SUE if node.concurrent else SH
    known = session.index_table(node.idxname) if node.if_not_exists and node.idxname else None
    if known is not None:
        # It is there, under this name at least: the lock is taken and nothing is built.
        yield Touch(name, mode)
        return
    yield from spread(
        name, mode, session, scan=True, recurse=node.relation.inh and is_partitioned(session.relation(name))
    )


def create_trigger(statement: Statement, session: Session) -> Touches:
    node = statement.node
    name = names.of_range(node.relation)
    # A row trigger of a partitioned table is made on each partition too.
    yield from spread(name, SRX, session, recurse=node.row and is_partitioned(session.relation(name)))
    if node.HasField("constrrel"):
        yield Touch(names.of_range(node.constrrel), AS)


def create_rule(statement: Statement, _session: Session) -> Touches:
    node = statement.node
    yield Touch(names.of_range(node.relation), AX)
    for action in node.actions:
        kind = action.WhichOneof("node")
        if kind == "select_stmt":
            yield from _parsed(action.select_stmt)
        elif kind in ("insert_stmt", "update_stmt", "delete_stmt"):
            yield Touch(names.of_range(getattr(action, kind).relation), RX)


def policy(statement: Statement, _session: Session) -> Touches:
    node = statement.node
    yield Touch(names.of_range(node.table), AX)
    found: query_tables.Found = []
    query_tables.of_expressions([node.qual, node.with_check], frozenset(), found)
    yield from (Touch(read.name, read.mode) for read in found)


def create_statistics(statement: Statement, _session: Session) -> Touches:
    for item in statement.node.relations:
        if item.WhichOneof("node") == "range_var":
            yield Touch(names.of_range(item.range_var), SUE)


def sequence(statement: Statement, _session: Session) -> Touches:
    """OWNED BY looks at the table; all else is the sequence's own."""
    for option in statement.node.options:
        if option.def_elem.defname == "owned_by":
            owner = names.of_strings(option.def_elem.arg.list.items).rpartition(".")[0]
            if owner:
                yield Touch(owner, AS)


def create_function(statement: Statement, session: Session) -> Touches:
    """The body of an SQL function is checked at once, which locks its tables as running it would; others are not."""
    node = statement.node
    for body in _sql_bodies(node):
        kind = body.node_name
        if kind == "select_stmt":
            yield from _parsed(body.node)
        elif kind in ("insert_stmt", "update_stmt", "delete_stmt", "merge_stmt"):
            yield from lock_queries.planned(body.node, kind, session)


def _sql_bodies(node: Node) -> Iterable[Statement]:
    options = {option.def_elem.defname: option.def_elem.arg for option in node.options}
    if node.HasField("sql_body"):
        return _atomic(node.sql_body)
    language = options["language"].string.sval.lower() if "language" in options else "sql"
    if language != "sql" or "as" not in options:
        return []
    try:
        return parsing.parse(names.of_strings(options["as"].list.items))
    except TidegateError:
        return []


def _atomic(body: Node) -> Iterator[Statement]:
    """BEGIN ATOMIC ... END, or RETURN of an expression."""
    kind = body.WhichOneof("node")
    if kind == "list":
        for item in body.list.items:
            yield from _atomic(item)
    elif kind is not None:
        yield Statement(0, 0, "", kind, getattr(body, kind))


def rename(statement: Statement, session: Session) -> Touches:
    """A column is renamed on children too; an index (PostgreSQL 12+) and whatever is no relation lock no table."""
    node = statement.node
    kind = node.rename_type
    if not node.HasField("relation") or kind in (pg.OBJECT_INDEX, pg.OBJECT_SEQUENCE):
        return
    name = names.of_range(node.relation)
    relation = session.relation(name)
    if kind == pg.OBJECT_ATTRIBUTE:
        yield from _tables_of(name, session, cascade=node.behavior == pg.DROP_CASCADE)
        return
    if relation.facts is None and session.index_table(name) is not None:
        # ALTER TABLE ... RENAME of an index.
        return
    if node.missing_ok and relation.is_absent:
        yield Touch(name, None)
        return
    recurses = kind == pg.OBJECT_COLUMN or (kind == pg.OBJECT_TABCONSTRAINT and _is_check(relation, node.subname))
    yield from spread(name, AX, session, recurse=recurses and node.relation.inh)


def _is_check(relation: Relation, name: str) -> bool:
    known = relation.constraint(name)
    return known is not None and known.kind == "check"


def exclusive(statement: Statement, _session: Session) -> Touches:
    """SET SCHEMA."""
    if statement.node.object_type in _RELATIONS and statement.node.HasField("relation"):
        yield Touch(names.of_range(statement.node.relation), AX)


def depends(statement: Statement, _session: Session) -> Touches:
    """ALTER TRIGGER ... DEPENDS ON EXTENSION."""
    if statement.node.object_type == pg.OBJECT_TRIGGER:
        yield Touch(names.of_range(statement.node.relation), AS)


def composite(statement: Statement, session: Session) -> Touches:
    """ALTER TYPE ... ADD, DROP or ALTER ATTRIBUTE: CASCADE changes the tables made OF the type."""
    name = names.of_range(statement.node.relation)
    for item in statement.node.cmds:
        command = item.alter_table_cmd
        rewrite = command.subtype == pg.AT_AlterColumnType
        cascade = command.behavior == pg.DROP_CASCADE
        yield from (t._replace(scan=rewrite, rewrite=rewrite) for t in _tables_of(name, session, cascade=cascade))


def _tables_of(name: str, session: Session, *, cascade: bool) -> Touches:
    # The catalog facts do not tell them: these words stand for them.
    if cascade and not session.made_here("type", name):
        yield Touch(f"the tables of type {name}", AX)


def alter_domain(statement: Statement, session: Session) -> Touches:
    """A new constraint of a domain is checked in every table that uses it, while nobody writes there."""
    node = statement.node
    name = names.of_strings(node.type_name)
    checks = node.subtype in ("V", "O") or (node.subtype == "C" and not getattr(node, "def").constraint.skip_validation)
    if checks and not session.made_here("type", name):
        known = tables_of_type(name, session)
        if not known and (session.facts is None or session.facts.type_of(name) is None) and not session.knows_all:
            known = [f"the tables with a column of type {name}"]
        for table in known:
            yield from spread(table, SH, session, scan=True)


OBJECTS: dict[str, Callable[[Statement, Session], Touches]] = {
    "create_stmt": create_table,
    "create_foreign_table_stmt": create_table,
    "create_table_as_stmt": create_table_as,
    "create_schema_stmt": create_schema,
    "view_stmt": create_view,
    "index_stmt": create_index,
    "create_trig_stmt": create_trigger,
    "rule_stmt": create_rule,
    "create_policy_stmt": policy,
    "alter_policy_stmt": policy,
    "create_stats_stmt": create_statistics,
    "create_seq_stmt": sequence,
    "alter_seq_stmt": sequence,
    "create_function_stmt": create_function,
    "rename_stmt": rename,
    "alter_object_schema_stmt": exclusive,
    "alter_object_depends_stmt": depends,
    "create_publication_stmt": lock_marks.publication,
    "alter_publication_stmt": lock_marks.publication,
    "comment_stmt": lock_marks.comment,
    "sec_label_stmt": lock_marks.comment,
    "alter_domain_stmt": alter_domain,
    "grant_stmt": lock_marks.grant,
}
