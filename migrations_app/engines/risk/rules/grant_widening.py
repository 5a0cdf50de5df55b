from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import names
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.names import Node, inner
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement

_POWERS = {
    "superuser": "may do anything",
    "createrole": "may make and change other roles",
    "bypassrls": "sees every row, whatever the policies say",
    "isreplication": "may read the whole server by replication",
}
_POWERFUL = {
    "pg_write_all_data",
    "pg_read_all_data",
    "pg_execute_server_program",
    "pg_read_server_files",
    "pg_write_server_files",
    "pg_maintain",
    "rds_superuser",
    "cloudsqlsuperuser",
    "azure_pg_admin",
}
_MADE = {pg.OBJECT_SCHEMA: "schema", pg.OBJECT_SEQUENCE: "sequence", pg.OBJECT_TYPE: "type", pg.OBJECT_DOMAIN: "type"}


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    yield from _CHECKS[statement.node_name](statement.node, session)


def _grant(node: Node, session: Session) -> Iterator[Hit]:
    if not node.is_grant:
        return
    what = [name for name in map(_object_name, node.objects) if not _is_new(name, node.objtype, session)]
    is_default = node.targtype == pg.ACL_TARGET_DEFAULTS
    if node.objects and not what:
        return
    where = "objects that are made from now on" if is_default else ", ".join(what)
    table = what[0] if what and node.objtype == pg.OBJECT_TABLE and node.targtype == pg.ACL_TARGET_OBJECT else None
    to = [role.role_spec for role in node.grantees]
    granted = ", ".join(item.access_priv.priv_name.upper() for item in node.privileges) or "ALL"
    if any(role.roletype == pg.ROLESPEC_PUBLIC for role in to):
        yield Hit(f"GRANT {granted} on {where} to PUBLIC: to every role, also those made later", table)
    elif not node.privileges:
        roles = ", ".join(role.rolename or "the current role" for role in to)
        yield Hit(f"GRANT ALL on {where} to {roles}: also what nobody needs for reading and writing rows", table)


def _object_name(item: Node) -> str:
    return names.of_range(item.range_var) if names.node_name(item) == "range_var" else names.of_object(item)


def _is_new(name: str, kind: int, session: Session) -> bool:
    if kind == pg.OBJECT_TABLE:
        return not session.relation(name).is_existing
    return session.made_here(_MADE.get(kind, "function"), name)


def _default(node: Node, session: Session) -> Iterator[Hit]:
    yield from _grant(node.action, session)


def _membership(node: Node, session: Session) -> Iterator[Hit]:  # noqa: ARG001 - called like the others
    if not node.is_grant:
        return
    to = ", ".join(role.role_spec.rolename for role in node.grantee_roles)
    for item in node.granted_roles:
        role = item.access_priv.priv_name
        if role in _POWERFUL:
            yield Hit(f"{to} becomes a member of {role}, which reaches past the rights on single tables")
        elif any(option.def_elem.defname == "admin" and _is_on(option.def_elem) for option in node.opt):
            yield Hit(f"{to} may make others a member of {role}")


def _role(node: Node, session: Session) -> Iterator[Hit]:  # noqa: ARG001 - called like the others
    name = node.role if isinstance(node.role, str) else node.role.rolename
    for option in node.options:
        power = option.def_elem.defname
        if power in _POWERS and _is_on(option.def_elem):
            yield Hit(f"The role {name} {_POWERS[power]} ({power.removeprefix('is').upper()})")


def _is_on(option: Node) -> bool:
    return not option.HasField("arg") or bool(inner(option.arg).boolval)


def _function(node: Node, session: Session) -> Iterator[Hit]:  # noqa: ARG001 - called like the others
    # A body of the SQL standard (BEGIN ATOMIC) was resolved once and for all when it was made.
    if _is_definer(node.options) and not _sets_path(node.options) and not node.HasField("sql_body"):
        yield _definer(names.of_strings(node.funcname))


def _changed_function(node: Node, session: Session) -> Iterator[Hit]:
    if not _is_definer(node.actions) or _sets_path(node.actions):
        return
    name = names.of_strings(node.func.objname)
    known = session.facts.function(name) if session.facts else ()
    if not known or not all(any(each.startswith("search_path=") for each in one.settings) for one in known):
        yield _definer(name)


def _definer(name: str) -> Hit:
    message = f"{name}() runs with the rights of its owner, and finds its objects by the caller's search_path"
    safe_way = (
        "Set it in the function: ALTER FUNCTION {name} SET search_path = pg_catalog, pg_temp; name every object in it"
        " with its schema, and REVOKE EXECUTE ON FUNCTION {name} FROM PUBLIC."
    )
    return Hit(message, safe_way=safe_way, values={"name": names.quoted(name)})


def _is_definer(options: Sequence[Any]) -> bool:
    return any(option.def_elem.defname == "security" and _is_on(option.def_elem) for option in options)


def _sets_path(options: Sequence[Any]) -> bool:
    found = (option.def_elem.arg.variable_set_stmt.name for option in options if option.def_elem.defname == "set")
    return "search_path" in found


_CHECKS = {
    "grant_stmt": _grant,
    "alter_default_privileges_stmt": _default,
    "grant_role_stmt": _membership,
    "create_role_stmt": _role,
    "alter_role_stmt": _role,
    "create_function_stmt": _function,
    "alter_function_stmt": _changed_function,
}

RULE = Rule(
    id="grant-widening",
    severity="hazard",
    nodes=tuple(_CHECKS),
    what="Roles get more rights than a program needs: GRANT ALL, PUBLIC, a powerful role, SECURITY DEFINER.",
    why="Nothing fails, so nobody notices; it shows when a password leaks or a program does what it should not be able"
    " to do.",
    safe_way="Grant what is needed, to whom it is needed: GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO the role"
    " of the program.",
    check=check,
)
