"""What a statement leaves behind in the session, one small function a node type."""

from __future__ import annotations

from collections.abc import Callable

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import alter_effects, names
from migrations_app.engines.risk.definitions import add_column, add_constraint, constraint_of
from migrations_app.engines.risk.names import Node, inner
from migrations_app.engines.risk.rows import writes
from migrations_app.engines.risk.session import Column, Relation, Session
from migrations_app.engines.risk.statements import Statement

_DROPPED = {
    pg.OBJECT_TABLE,
    pg.OBJECT_VIEW,
    pg.OBJECT_MATVIEW,
    pg.OBJECT_FOREIGN_TABLE,
}


def apply(statement: Statement, session: Session) -> None:
    """Move the session past this statement."""
    if effect := _EFFECTS.get(statement.node_name):
        effect(statement, session)


def _may_exist_already(statement: Statement, session: Session, name: str, if_not_exists: bool) -> bool:
    """Whether the statement may have found an existing object instead of making one."""
    existing = session.relation(name)
    if existing.facts is not None:
        # It is refused, and a script that goes on after an error then meets the old table under this name.
        return True
    certain = not statement.is_conditional and not if_not_exists
    return not certain and not existing.holds_nothing_old


def _create_table(statement: Statement, session: Session) -> None:
    node = statement.node
    name = names.of_range(node.relation)
    is_temporary = node.relation.relpersistence == "t" or node.relation.schemaname == "pg_temp"
    if not is_temporary and _may_exist_already(statement, session, name, node.if_not_exists):
        return
    relation = session.make(Relation(name, is_made=True), is_temporary=is_temporary)
    relation.ends_with_commit = node.oncommit == pg.ONCOMMIT_DROP
    relation.partitions_rows = node.HasField("partspec")
    for element in node.table_elts:
        element = inner(element)
        if element.DESCRIPTOR.name == "ColumnDef":
            add_column(relation, element)
        elif element.DESCRIPTOR.name == "Constraint":
            add_constraint(relation, constraint_of(element))


def _create_table_as(statement: Statement, session: Session) -> None:
    node = statement.node
    name = names.of_range(node.into.rel)
    if _may_exist_already(statement, session, name, node.if_not_exists):
        return
    session.make(Relation(name, is_made=True), is_temporary=node.into.rel.relpersistence == "t")


def _select(statement: Statement, session: Session) -> None:
    for target in statement.node.target_list:
        call = inner(target.res_target.val)
        if call.DESCRIPTOR.name == "FuncCall" and names.bare(names.of_strings(call.funcname)) == "set_config":
            arguments = [argument.a_const.sval.sval for argument in call.args]
            if len(arguments) < 2:
                continue
            session.settings[arguments[0].lower()] = value = arguments[1]
            if arguments[0] == "search_path":
                parts = (part.strip(' "') for part in value.split(","))
                session.search_path = tuple(part for part in parts if part not in ("", "$user"))
    # In a plpgsql body INTO fills variables; only a plain SELECT INTO makes a table.
    if statement.node.HasField("into_clause") and not statement.inside:
        target = statement.node.into_clause.rel
        session.make(Relation(names.of_range(target), is_made=True), is_temporary=target.relpersistence == "t")


def _create_view(statement: Statement, session: Session) -> None:
    node = statement.node
    query = inner(node.query)
    sources = [names.of_range(item.range_var) for item in query.from_clause if names.node_name(item) == "range_var"]
    reads = tuple(sources) if len(sources) == 1 and len(query.from_clause) == 1 else ()
    name = names.of_range(node.view)
    before = session.relation(name)
    is_old = node.replace and before.is_existing
    view = Relation(name, before.facts if is_old else None, is_made=not is_old, is_view=True, reads=reads)
    view.is_filtered = query.HasField("where_clause")
    session.make(view, is_temporary=node.view.relpersistence == "t")


def _drop(statement: Statement, session: Session) -> None:
    if statement.node.remove_type in _DROPPED and not statement.is_conditional:
        for item in statement.node.objects:
            session.forget(names.of_object(item))
    elif statement.node.remove_type == pg.OBJECT_INDEX:
        for item in statement.node.objects:
            name = names.of_object(item)
            if table := session.index_table(name):
                session.indexes.setdefault(session.qualified(table.name), {})[names.bare(name)] = None


def _rename(statement: Statement, session: Session) -> None:
    node = statement.node
    if node.rename_type in _DROPPED:
        session.rename(names.of_range(node.relation), node.newname)
    elif node.rename_type == pg.OBJECT_COLUMN:
        relation = session.relation(names.of_range(node.relation))
        column = relation.column(node.subname)
        relation.columns[node.newname] = Column(
            node.newname, column.origin, column.type, column.not_null, column.has_values, column.is_filled
        )
        relation.columns[node.subname] = Column(node.subname, None, has_values=False)
    elif node.rename_type == pg.OBJECT_TYPE:
        old = names.bare(names.of_object(node.object))
        labels = session.type_labels(old)
        if labels is not None:
            session.enums[node.newname] = labels


def _set_schema(statement: Statement, session: Session) -> None:
    node = statement.node
    if node.object_type in _DROPPED:
        name = names.of_range(node.relation)
        session.rename(name, f"{node.newschema}.{names.bare(name)}")


def _alter_table(statement: Statement, session: Session) -> None:
    relation = session.relation(names.of_range(statement.node.relation))
    for wrapped in statement.node.cmds:
        command = wrapped.alter_table_cmd
        if effect := alter_effects.COMMANDS.get(command.subtype):
            effect(alter_effects.Subcommand(statement, session, relation, command))


def _set(statement: Statement, session: Session) -> None:
    node = statement.node
    kept = session.transaction.settings if node.is_local else session.settings
    if node.kind == pg.VAR_SET_VALUE:
        kept[node.name.lower()] = ", ".join(_plain(item) for item in node.args)
    elif node.kind == pg.VAR_RESET_ALL:
        session.settings.clear()
    else:
        kept.pop(node.name.lower(), None)
    if node.name == "search_path":
        _set_search_path(node, session)


def _plain(node: Node) -> str:
    """A value as SHOW would spell it: SET TIME ZONE INTERVAL and the like come out as their text."""
    node = inner(node)
    if node.DESCRIPTOR.name == "TypeCast":
        return _plain(node.arg)
    if node.DESCRIPTOR.name != "A_Const":
        return ""
    which = node.WhichOneof("val")
    if which == "boolval":
        return "on" if node.boolval.boolval else "off"
    return str({"sval": node.sval.sval, "ival": node.ival.ival, "fval": node.fval.fval}.get(which, ""))


def _set_search_path(node: Node, session: Session) -> None:
    if node.kind == pg.VAR_SET_VALUE:
        parts = [item.a_const.sval.sval for item in node.args]
        # SET search_path = 'a, b' with quotes names ONE schema in PostgreSQL, and so it does here.
        session.search_path = tuple(part for part in parts if part != "$user")
    else:
        session.search_path = session.facts.search_path if session.facts else ("public",)


def _transaction(statement: Statement, session: Session) -> None:
    kind = statement.node.kind
    if statement.inside:
        # COMMIT in a DO block: refused inside a transaction, and outside of one the next begins at once.
        return
    if kind in (pg.TRANS_STMT_BEGIN, pg.TRANS_STMT_START):
        session.in_transaction = True
        session.save("")
    elif kind == pg.TRANS_STMT_SAVEPOINT:
        session.save(statement.node.savepoint_name)
    elif kind == pg.TRANS_STMT_ROLLBACK_TO:
        session.restore(statement.node.savepoint_name)
    elif kind == pg.TRANS_STMT_ROLLBACK:
        session.in_transaction = False
        session.restore("")
    elif kind == pg.TRANS_STMT_COMMIT:
        session.in_transaction = False
        session.release()


def _index(statement: Statement, session: Session) -> None:
    node = statement.node
    table = names.of_range(node.relation)
    known = session.indexes.setdefault(session.qualified(table), {})
    known[node.idxname or f"the index {len(known)}"] = node
    if node.idxname:
        session.index_tables[node.idxname] = table
        if not node.if_not_exists:
            session.made.add(("index", node.idxname))


def _enum(statement: Statement, session: Session) -> None:
    name = names.bare(names.of_strings(statement.node.type_name))
    session.enums[name] = tuple(item.string.sval for item in statement.node.vals)
    _made(session, statement, "type", name)


def _enum_value(statement: Statement, session: Session) -> None:
    name = names.bare(names.of_strings(statement.node.type_name))
    labels = session.type_labels(name)
    if labels is not None and not statement.node.old_val:
        session.enums[name] = (*labels, statement.node.new_val)
    # Since PostgreSQL 17 the labels of a type that the same transaction made may be used at once.
    is_new = session.made_here("type", name) and session.server_version >= _NEW_LABELS_ARE_USABLE
    if session.in_transaction and not statement.node.old_val and not is_new:
        session.transaction.note("enum-value", name, statement.node.new_val, by=statement.index)


def _made(session: Session, statement: Statement, kind: str, name: str) -> None:
    if name and not statement.is_conditional:
        session.made.add((kind, names.bare(name)))


def _schema(statement: Statement, session: Session) -> None:
    if not statement.node.if_not_exists:
        _made(session, statement, "schema", statement.node.schemaname)


def _extension(statement: Statement, session: Session) -> None:
    if not statement.node.if_not_exists:
        _made(session, statement, "extension", statement.node.extname)


def _sequence(statement: Statement, session: Session) -> None:
    if not statement.node.if_not_exists:
        _made(session, statement, "sequence", names.of_range(statement.node.sequence))


def _function(statement: Statement, session: Session) -> None:
    name = names.bare(names.of_strings(statement.node.funcname))
    session.functions[name] = statement
    if not statement.node.replace:
        _made(session, statement, "function", name)


def _trigger(statement: Statement, session: Session) -> None:
    if not statement.node.replace:
        _made(session, statement, "trigger", statement.node.trigname)
        _made(session, statement, "trigger", on_table(statement.node.trigname, statement.node.relation.relname))


def _policy(statement: Statement, session: Session) -> None:
    _made(session, statement, "policy", on_table(statement.node.policy_name, statement.node.table.relname))


def on_table(name: str, table: str) -> str:
    """Under which name `made_here` knows a trigger or policy of a table, so that one of another is not meant."""
    return f"{names.bare(table)}/{name}"


def _prepare(statement: Statement, session: Session) -> None:
    session.prepared.add(statement.node.name)


_NEW_LABELS_ARE_USABLE = 170000
_EFFECTS: dict[str, Callable[[Statement, Session], None]] = {
    "create_stmt": _create_table,
    "create_table_as_stmt": _create_table_as,
    "select_stmt": _select,
    "view_stmt": _create_view,
    "insert_stmt": writes.note,
    "update_stmt": writes.note,
    "delete_stmt": writes.note,
    "merge_stmt": writes.note,
    "truncate_stmt": writes.note,
    "copy_stmt": writes.note,
    "drop_stmt": _drop,
    "rename_stmt": _rename,
    "alter_object_schema_stmt": _set_schema,
    "alter_table_stmt": _alter_table,
    "variable_set_stmt": _set,
    "transaction_stmt": _transaction,
    "index_stmt": _index,
    "create_enum_stmt": _enum,
    "alter_enum_stmt": _enum_value,
    "create_domain_stmt": lambda made, session: _made(session, made, "type", names.of_strings(made.node.domainname)),
    "create_range_stmt": lambda made, session: _made(session, made, "type", names.of_strings(made.node.type_name)),
    "composite_type_stmt": lambda made, session: _made(session, made, "type", made.node.typevar.relname),
    "create_extension_stmt": _extension,
    "create_publication_stmt": lambda made, session: _made(session, made, "publication", made.node.pubname),
    "create_role_stmt": lambda made, session: _made(session, made, "role", made.node.role),
    "create_trig_stmt": _trigger,
    "create_policy_stmt": _policy,
    "create_schema_stmt": _schema,
    "create_seq_stmt": _sequence,
    "create_function_stmt": _function,
    "prepare_stmt": _prepare,
}
