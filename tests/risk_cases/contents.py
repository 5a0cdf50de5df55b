"""The contents and the guarantees of a small database, as one value, and what of them is gone in another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
from psycopg import sql

SCHEMAS = "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"
TABLES = f"""SELECT c.oid, n.nspname, c.relname, c.relpersistence,
        array(SELECT a.attnum::int FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
            ORDER BY a.attnum),
        array(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0
            AND NOT a.attisdropped ORDER BY a.attnum),
        array(SELECT format_type(a.atttypid, a.atttypmod) FROM pg_attribute a WHERE a.attrelid = c.oid
            AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p') AND {SCHEMAS}"""
SEQUENCES = f"""SELECT c.oid::int, coalesce(pg_sequence_last_value(c.oid), 0) FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'S' AND {SCHEMAS}"""
# Whatever promises something, or would be missed, as a text that does not depend on names that may change.
GUARANTEES = {
    "constraint": f"""SELECT c.conrelid::text || ' ' || pg_get_constraintdef(c.oid) FROM pg_constraint c
        JOIN pg_namespace n ON n.oid = c.connamespace WHERE c.contype IN ('p', 'u', 'f', 'c', 'x') AND {SCHEMAS}""",
    "unique index": f"""SELECT concat(x.indrelid, ' ', x.indkey, x.indexprs, x.indpred)
        FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE x.indisunique AND x.indisvalid AND {SCHEMAS}""",
    "view": f"""SELECT c.oid::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('v', 'm') AND {SCHEMAS}""",
    "label": "SELECT enumtypid::text || enumlabel FROM pg_enum",
    "publication": "SELECT pubname::text FROM pg_publication",
    "large object": "SELECT oid::text FROM pg_largeobject_metadata",
    "write": """SELECT 'kept' WHERE NOT EXISTS
        (SELECT FROM pg_rules WHERE schemaname <> 'pg_catalog' AND definition ILIKE '%DO INSTEAD NOTHING%')""",
    "trigger": "SELECT tgrelid::text || tgname FROM pg_trigger WHERE NOT tgisinternal",
    "routine": f"SELECT p.oid::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE {SCHEMAS}",
}
ALL_GUARANTEES = " UNION ALL ".join(
    f"SELECT '{kind}' AS kind, text FROM ({query}) AS of_kind(text)" for kind, query in GUARANTEES.items()
)


@dataclass(frozen=True)
class Column:
    name: str
    type: str
    values: int
    digest: str | None


@dataclass(frozen=True)
class Table:
    name: str
    rows: int
    persistence: str
    columns: dict[int, Column]


@dataclass(frozen=True)
class Contents:
    tables: dict[int, Table]
    sequences: dict[int, int]
    guarantees: dict[str, frozenset[str]]


def read(conn: psycopg.Connection) -> Contents:
    """By object ids, so that what was renamed is still the same."""
    with conn.cursor() as cursor:
        tables = {oid: _table(cursor, *row) for oid, *row in cursor.execute(TABLES).fetchall()}
        sequences = dict(cursor.execute(SEQUENCES).fetchall())
        found: dict[str, set[str]] = {kind: set() for kind in GUARANTEES}
        for kind, text in cursor.execute(ALL_GUARANTEES.encode()):
            found[kind].add(text)
    return Contents(tables, sequences, {kind: frozenset(texts) for kind, texts in found.items()})


def _table(
    cursor: psycopg.Cursor,
    schema: str,
    name: str,
    persistence: str,
    numbers: list[int],
    columns: list[str],
    types: list[str],
) -> Table:
    wanted = [sql.SQL("count(*)")]
    for column in columns:
        wanted.append(
            sql.SQL("count({0}), md5(string_agg({0}::text, '|' ORDER BY {0}::text))").format(sql.Identifier(column))
        )
    query = sql.SQL("SELECT {} FROM {}").format(sql.SQL(", ").join(wanted), sql.Identifier(schema, name))
    row = cursor.execute(query).fetchone()
    assert row is not None
    found = {
        number: Column(columns[at], types[at], row[1 + 2 * at], row[2 + 2 * at]) for at, number in enumerate(numbers)
    }
    return Table(f"{schema}.{name}", row[0], persistence, found)


def losses(before: Contents, after: Contents) -> Iterator[str]:
    """Whatever was there and is not, or is less, in words."""
    for oid, table in before.tables.items():
        yield from _lost_in_table(table, after.tables.get(oid))
    for oid, last in before.sequences.items():
        if after.sequences.get(oid, -1) < last:
            yield f"sequence {oid} fell from {last}"
    for kind, texts in before.guarantees.items():
        yield from (f"{kind} gone: {text}" for text in texts - after.guarantees[kind])


def _lost_in_table(table: Table, now: Table | None) -> Iterator[str]:
    if now is None:
        yield f"table gone: {table.name} with {table.rows} rows"
        return
    if now.rows < table.rows:
        yield f"rows gone: {table.name} from {table.rows} to {now.rows}"
    if now.persistence == "u" and table.persistence == "p":
        yield f"durability gone: {table.name}"
    for number, column in table.columns.items():
        then = now.columns.get(number)
        if then is None:
            yield f"column gone: {table.name}.{column.name} with {column.values} values"
        elif then.type != column.type:
            yield f"type changed: {table.name}.{column.name} from {column.type} to {then.type}"
        elif column.values and then.digest != column.digest and now.rows >= table.rows:
            yield f"values changed: {table.name}.{column.name}"


def wiped(before: Contents, after: Contents) -> Iterator[str]:
    """What no input may do that needs nobody's approval: lose a whole table or column that held something.

    A copy under the old name, as a batch of Alembic makes one, is as good as the original.
    """
    names = {table.name: table for table in after.tables.values()}
    for oid, table in before.tables.items():
        now = after.tables.get(oid, names.get(table.name))
        if table.rows and (now is None or not now.rows):
            yield f"all rows gone: {table.name}"
        if now is not None:
            yield from (
                f"column gone: {table.name}.{column.name}"
                for number, column in table.columns.items()
                if column.values and number not in now.columns
            )
