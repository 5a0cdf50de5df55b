from __future__ import annotations

import ast
from collections.abc import Iterator

from migrations_app.engines.risk import column_types, revision_source
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.revision_sql import RevisionSql
from migrations_app.engines.risk.session import Column, Session
from migrations_app.engines.risk.statements import Statement

# SQLAlchemy's names of types beside PostgreSQL's.
_BASES = {
    "Integer": "int4", "INTEGER": "int4", "BigInteger": "int8", "BIGINT": "int8", "SmallInteger": "int2",
    "SMALLINT": "int2", "String": "varchar", "VARCHAR": "varchar", "Unicode": "varchar", "Text": "text",
    "TEXT": "text", "UnicodeText": "text", "Boolean": "bool", "BOOLEAN": "bool", "Date": "date", "DATE": "date",
    "UUID": "uuid", "Uuid": "uuid", "JSON": "json", "JSONB": "jsonb", "LargeBinary": "bytea", "BYTEA": "bytea",
    "Numeric": "numeric", "NUMERIC": "numeric", "DECIMAL": "numeric", "CHAR": "bpchar", "CITEXT": "citext",
}  # fmt: skip


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    revision: RevisionSql = statement.node
    if session.facts is None:
        return
    for operation, call in revision_source.operations(revision, "upgrade"):
        if operation != "alter_column" or len(call.args) < 2:
            continue
        table, name = map(revision_source.literal, call.args[:2])
        if not isinstance(table, str) or not isinstance(name, str):
            continue
        schema = revision_source.literal(revision_source.keyword(call, "schema"))
        relation = session.relation(f"{schema}.{table}" if schema else table)
        if relation.facts is None or name not in relation.facts.columns:
            continue
        yield from _compare(call, relation.name, relation.column(name))


def _compare(call: ast.Call, table: str, column: Column) -> Iterator[Hit]:
    claimed = _type(revision_source.keyword(call, "existing_type"))
    actual = column_types.parse(column.type) if column.type else None
    if claimed and actual and (claimed.base != actual.base or (claimed.mods and claimed.mods != actual.mods)):
        message = f"existing_type says that {table}.{column.name} is {claimed}, but it is {actual} here"
        yield Hit(message, table, column.name, evidence={"says": str(claimed), "is": str(actual)}, line=call.lineno)
    nullable = revision_source.literal(revision_source.keyword(call, "existing_nullable"))
    if isinstance(nullable, bool) and column.not_null is not None and nullable == column.not_null:
        says, really = ("allows NULL", "NOT NULL") if nullable else ("is NOT NULL", "nullable")
        message = f"existing_nullable says that {table}.{column.name} {says}, but it is {really} here"
        yield Hit(message, table, column.name, evidence={"says": nullable, "is": not column.not_null}, line=call.lineno)


def _type(node: ast.expr | None) -> column_types.ColumnType | None:
    """The type that sa.String(length=50) and the like stand for; None when that cannot be told."""
    call = node if isinstance(node, ast.Call) else None
    name = revision_source.dotted(call.func if call else node).rpartition(".")[2] if node is not None else ""
    if name not in _BASES:
        return None
    given = [*(call.args if call else ()), *(item.value for item in (call.keywords if call else ()))]
    sizes = [value for value in map(revision_source.literal, given) if isinstance(value, int)]
    is_sized = _BASES[name] in ("varchar", "bpchar", "numeric")
    mods = tuple(size for size in sizes if not isinstance(size, bool)) if is_sized else ()
    return column_types.ColumnType(_BASES[name], mods)


RULE = Rule(
    id="existing-type-lies",
    severity="hazard",
    nodes=("@revision",),
    what="op.alter_column is told something about the column that is not true on this target.",
    why="Alembic believes it: on the way back it restores what never was, and a change that it takes for none is left"
    " out. It is also the first sign that this target is not what the author had before him.",
    safe_way="Look at the column on every target, correct existing_type and existing_nullable, and find out where the"
    " difference comes from.",
    check=check,
)
