from __future__ import annotations

from collections.abc import Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import column_types, evidence, names
from migrations_app.engines.risk.column_types import ColumnType
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    name = names.of_range(statement.node.relation)
    relation = session.relation(name)
    for item in statement.node.cmds:
        command = item.alter_table_cmd
        if command.subtype != pg.AT_AlterColumnType or relation.holds_nothing_old:
            continue
        column = relation.column(command.name)
        if (column.origin is None and not relation.took_in) or column.has_values is False:
            continue
        new = column_types.from_node(getattr(command, "def").column_def.type_name)
        old = column_types.parse(column.type) if column.type else None
        reason = _reason(_undressed(old, session) if old else None, _undressed(new, session), session)
        if reason is None:
            continue
        was = f"from {old} " if old else ""
        message = f"The type of {name}.{command.name} is narrowed {was}to {new}: {reason}"
        known = evidence.of_column(relation, column) | {"to": str(new)} | ({"from": str(old)} if old else {})
        values = {"name": str(new)}
        yield Hit(message, name, command.name, evidence.in_words(relation), known, values=values)


def _undressed(given: ColumnType, session: Session) -> ColumnType:
    """The type that a domain is over. What its constraints do not allow makes the ALTER fail, and cuts nothing."""
    known = session.facts.type_of(given.base) if session.facts and not given.dimensions else None
    is_domain = known is not None and known.kind == "domain" and known.base
    return column_types.parse(known.base) or given if known is not None and is_domain else given


def _reason(old: ColumnType | None, new: ColumnType, session: Session) -> str | None:
    labels = session.type_labels(old.base) if old and not old.dimensions else None
    if labels is not None and new.base in ("text", "varchar") and not new.dimensions:
        longest = max(map(len, labels), default=0)
        return f"a label of {old} has {longest} characters" if new.mods and longest > new.mods[0] else None
    kept = session.type_labels(new.base)
    if kept is None or new.dimensions or old is None or old.base in ("text", "varchar", "bpchar"):
        return column_types.narrowing(old, new)
    # From one enum to another is a rule of its own.
    return column_types.narrowing(old, new) if session.type_labels(old.base) is None else None


RULE = Rule(
    id="type-narrowing",
    severity="danger",
    nodes=("AT_AlterColumnType",),
    what="A column gets a type that cannot hold everything the old one can.",
    why="Values that do not fit are cut, rounded, or make the statement fail after it has locked the table"
    " (ACCESS EXCLUSIVE, usually with a rewrite of all rows).",
    safe_way="ALTER TABLE {table} ADD COLUMN {column}_new {name}; fill it by a chunked backfill and look at the rows"
    " where {column} does not fit; switch the code over; drop {column} one release later.",
    check=check,
)
