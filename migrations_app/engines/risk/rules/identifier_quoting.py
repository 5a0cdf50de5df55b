from __future__ import annotations

import re
from collections.abc import Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import names, new_table
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement

_PLAIN = re.compile(r"[a-z_][a-z0-9_$]*\Z")
_RESERVED = {
    "all", "analyse", "analyze", "and", "any", "array", "as", "asc", "asymmetric", "both", "case", "cast", "check",
    "collate", "column", "constraint", "create", "current_catalog", "current_date", "current_role", "current_time",
    "current_timestamp", "current_user", "default", "deferrable", "desc", "distinct", "do", "else", "end", "except",
    "false", "fetch", "for", "foreign", "from", "grant", "group", "having", "in", "initially", "intersect", "into",
    "lateral", "leading", "limit", "localtime", "localtimestamp", "not", "null", "offset", "on", "only", "or",
    "order", "placing", "primary", "references", "returning", "select", "session_user", "some", "symmetric",
    "system_user", "table", "then", "to", "trailing", "true", "union", "unique", "user", "using", "variadic", "when",
    "where", "window", "with",
}  # fmt: skip


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    if statement.node_name == "create_stmt":
        table = new_table.of(statement, session)
        given = [names.bare(table.name), *(column.name for column in table.columns)] if table else []
    elif statement.node_name == "rename_stmt":
        given = [statement.node.newname]
    else:
        commands = [item.alter_table_cmd for item in statement.node.cmds]
        given = [getattr(c, "def").column_def.colname for c in commands if c.subtype == pg.AT_AddColumn]
    odd = [name for name in given if name in _RESERVED or not _PLAIN.match(name)]
    if odd:
        table_name = names.of_range(statement.node.relation)
        key = f"{RULE.id} {table_name}"
        if key not in session.told:
            session.told.add(key)
            listed = ", ".join('"' + name + '"' for name in odd)
            yield Hit(f"Without quotes {listed} of {table_name} is not found", table_name, values={"name": listed})


RULE = Rule(
    id="identifier-quoting",
    severity="advice",
    nodes=("create_stmt", "AT_AddColumn", "rename_stmt/OBJECT_COLUMN", "rename_stmt/OBJECT_TABLE"),
    what="A name has to be quoted wherever it is used.",
    why="Unquoted names are read in lower case, and a reserved word is a syntax error; every query written by hand,"
    " every report and every function has to remember the quotes.",
    safe_way="Call it by lower case letters, digits and underscores, and no reserved word, instead of {name}.",
    check=check,
)
