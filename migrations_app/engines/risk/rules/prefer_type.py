from __future__ import annotations

from collections.abc import Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import names, new_table
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.new_table import MadeColumn
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement

_CODE = 3
_BETTER = {
    "json": ("jsonb", "json keeps only text: no index, no equality (so no DISTINCT), parsed anew at every use"),
    "money": ("numeric(12, 2)", "what money means depends on the server's lc_monetary, and it has no currency"),
    "bpchar": ("text", "char(n) is padded with blanks and saves nothing"),
    "timestamp": ("timestamptz", "timestamp without time zone is no moment: each client reads it in its own zone"),
    "timetz": ("timestamptz", "a time of day with an offset, but without a date, names no moment"),
}


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    if statement.node_name == "create_stmt":
        table = new_table.of(statement, session)
        name, columns = (table.name, table.columns) if table else ("", ())
    else:
        name, columns = names.of_range(statement.node.relation), tuple(_added(statement))
        if session.relation(name).is_absent:
            return
    found = [column for column in columns if column.type.base in _BETTER and not _is_letter(column)]
    key = f"{RULE.id} {name}"
    if found and key not in session.told:
        session.told.add(key)
        listed = ", ".join(f"{column.name} ({column.type}, better {_BETTER[column.type.base][0]})" for column in found)
        why = ". ".join(dict.fromkeys(_capital(_BETTER[column.type.base][1]) for column in found)) + "."
        first = found[0]
        yield Hit(f"{name}: {listed}", name, first.name, why, values={"type": _BETTER[first.type.base][0]})


def _added(statement: Statement) -> Iterator[MadeColumn]:
    for item in statement.node.cmds:
        if item.alter_table_cmd.subtype == pg.AT_AddColumn:
            yield new_table.column_of(getattr(item.alter_table_cmd, "def").column_def)


def _is_letter(column: MadeColumn) -> bool:
    """Codes of fixed length (country, currency) are not padded."""
    return column.type.base == "bpchar" and bool(column.type.mods) and column.type.mods[0] <= _CODE


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


RULE = Rule(
    id="prefer-type",
    severity="advice",
    nodes=("create_stmt", "AT_AddColumn"),
    what="A new column has a type that is usually regretted.",
    why="Another type later means a rewrite of the table.",
    safe_way="Make {column} of the type {type} now: it costs nothing while the column is new.",
    check=check,
)
