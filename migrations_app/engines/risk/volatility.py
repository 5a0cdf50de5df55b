"""ADD COLUMN: whether the default makes PostgreSQL write every row."""

from __future__ import annotations

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import names
from migrations_app.engines.risk.names import Node
from migrations_app.engines.risk.nested import function_calls, known_functions

_VOLATILE = {
    "random", "random_normal", "clock_timestamp", "timeofday", "gen_random_uuid", "nextval", "setval", "currval",
    "uuid_generate_v1", "uuid_generate_v1mc", "uuid_generate_v4", "uuidv4", "uuidv7", "gen_random_bytes", "gen_salt",
    "lastval",
}  # fmt: skip
_FAST_DEFAULTS = 110000
"""From PostgreSQL 11 on a default that is the same for all rows is kept in the catalog."""


def makes_rewrite(definition: Node, server_version: int) -> bool:
    """Whether adding this column rewrites the table: serial, identity, stored generated, or a volatile default."""
    base = names.bare(names.of_strings(definition.type_name.names))
    if base in ("serial", "bigserial", "smallserial", "serial4", "serial8", "serial2"):
        return True
    for item in definition.constraints:
        constraint = item.constraint
        if constraint.contype == pg.CONSTR_IDENTITY:
            return True
        if constraint.contype == pg.CONSTR_GENERATED:
            # "s" is STORED; PostgreSQL 18 computes VIRTUAL columns when they are read.
            return constraint.generated_kind in ("", "s")
        if constraint.contype == pg.CONSTR_DEFAULT:
            return server_version < _FAST_DEFAULTS or is_volatile(constraint.raw_expr)
    return False


def is_volatile(expression: Node) -> bool:
    """Whether a default may differ from row to row; a function that is not PostgreSQL's own is taken to."""
    called = [names.bare(names.of_strings(call.funcname)).lower() for call in function_calls(expression)]
    return any(name in _VOLATILE or name not in known_functions() for name in called)
