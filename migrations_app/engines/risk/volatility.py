"""ADD COLUMN: whether the default makes PostgreSQL write every row."""

from __future__ import annotations

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import column_types, names, statements
from migrations_app.engines.risk.facts import FunctionFacts
from migrations_app.engines.risk.locking.alter_type_locks import domain
from migrations_app.engines.risk.names import Node
from migrations_app.engines.risk.nested import function_calls, known_functions
from migrations_app.engines.risk.session import Session
from migrations_app.errors import TidegateError

_VOLATILE = {
    "random", "random_normal", "clock_timestamp", "timeofday", "gen_random_uuid", "nextval", "setval", "currval",
    "uuid_generate_v1", "uuid_generate_v1mc", "uuid_generate_v4", "uuidv4", "uuidv7", "gen_random_bytes", "gen_salt",
    "lastval", "array_sample", "array_shuffle", "current_query", "set_config", "setseed", "query_to_xml",
    "query_to_xmlschema", "lo_create", "lo_creat", "lo_from_bytea", "lo_get", "pg_sleep", "pg_notify",
    "pg_advisory_lock", "pg_advisory_xact_lock", "pg_current_wal_lsn", "pg_database_size", "pg_relation_size",
    "pg_total_relation_size", "pg_is_in_recovery", "pg_read_file", "ts_rewrite", "txid_status",
}  # fmt: skip
_SERIALS = {"serial", "bigserial", "smallserial", "serial2", "serial4", "serial8"}
_FAST_DEFAULTS = 110000
"""From PostgreSQL 11 on a default that is the same for all rows is kept in the catalog."""


def makes_rewrite(definition: Node, server_version: int, session: Session | None = None) -> bool:
    """Whether adding this column rewrites the table.

    So do serial, identity, stored generated columns, volatile defaults, and a domain with a CHECK or NOT NULL, even
    without a default: its constraint is looked at for every row.
    """
    type_name = definition.type_name
    base = type_name.names[-1].string.sval
    if base in _SERIALS:
        return True
    if session is not None and base not in column_types.BUILT_IN and not type_name.array_bounds:
        known = domain(names.of_strings(type_name.names), session)
        if known is not None and (known.checks or known.not_null):
            return True
    for item in definition.constraints:
        constraint = item.constraint
        if constraint.contype == pg.CONSTR_IDENTITY:
            return True
        if constraint.contype == pg.CONSTR_GENERATED:
            # "s" is STORED; PostgreSQL 18 computes VIRTUAL columns when they are read.
            return constraint.generated_kind in ("", "s")
        if constraint.contype == pg.CONSTR_DEFAULT:
            return server_version < _FAST_DEFAULTS or is_volatile(constraint.raw_expr, session)
    return False


def is_volatile(expression: Node, session: Session | None = None) -> bool:
    """Whether a default may differ from row to row; a function that nobody knows is taken to."""
    return any(_is_volatile_call(names.of_strings(call.funcname), session) for call in function_calls(expression))


def _is_volatile_call(name: str, session: Session | None) -> bool:
    plain = names.bare(name).lower()
    if session is not None:
        made = session.functions.get(names.bare(name))
        if made is not None:
            return _is_volatile_function(made.node, session)
        overloads = session.facts.function(name) if session.facts else ()
        if overloads:
            return any(overload.volatility == "v" and not _is_inlined(overload) for overload in overloads)
    return plain in _VOLATILE or plain not in known_functions()


def _is_inlined(function: FunctionFacts) -> bool:
    """Whether the function is one SELECT of an expression that does not vary, which takes the place of the call."""
    if function.language != "sql" or function.security_definer or function.settings:
        return False
    try:
        return not _is_volatile_function(statements.parse(function.definition)[0].node, None)
    except (TidegateError, IndexError):
        return False


def _is_volatile_function(node: Node, session: Session | None) -> bool:
    """By what CREATE FUNCTION says, volatile unless it says otherwise; an SQL expression counts for itself."""
    options = {option.def_elem.defname: option.def_elem.arg for option in node.options}
    if "volatility" in options and options["volatility"].string.sval != "volatile":
        return False
    language = options["language"].string.sval.lower() if "language" in options else "sql"
    if language != "sql" or "as" not in options or "security" in options or "set" in options:
        return True
    try:
        body = statements.parse(names.of_strings(options["as"].list.items))
    except TidegateError:
        return True
    if len(body) != 1 or body[0].node_name != "select_stmt" or body[0].node.from_clause:
        return True
    return any(is_volatile(target.res_target.val, session) for target in body[0].node.target_list)
