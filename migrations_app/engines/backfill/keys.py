"""The order in which a table is walked: a unique, never-null key whose index the walk can follow.

Bounds come out of that index, so gaps, text and random uuids cost nothing. A cursor is the key as JSON-safe texts:
`to_jsonb` writes dates in ISO form whatever DateStyle a session has, and numbers without rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from psycopg import Connection, sql

from migrations_app.engines.backfill import raw
from migrations_app.engines.backfill.tables import Table, similar
from migrations_app.errors import Invalid

Cursor: TypeAlias = tuple[str, ...]  # one text for each key column, in the order of the key

# Only what `ORDER BY key` can follow: valid, whole-table, plain columns, default operator classes, and one direction
# (ASC NULLS LAST throughout, or its exact reverse). An index in mixed order would mean a sort of the table a chunk.
_INDEXES = b"""
SELECT c.relname::text, i.indisprimary, k.nullable, k.names, k.schemas, k.collations
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
CROSS JOIN LATERAL (
    SELECT array_agg(a.attname::text ORDER BY o) AS names, bool_or(NOT a.attnotnull) AS nullable,
           array_agg(ln.nspname::text ORDER BY o) AS schemas, array_agg(l.collname::text ORDER BY o) AS collations,
           bool_and(p.opcdefault) AS usual, min(i.indoption[o - 1]) AS least, max(i.indoption[o - 1]) AS most,
           count(a.attnum) AS known
    FROM generate_series(1, i.indnkeyatts) o
    LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[o - 1] AND a.attnum > 0
    LEFT JOIN pg_opclass p ON p.oid = i.indclass[o - 1]
    LEFT JOIN pg_collation l ON l.oid = i.indcollation[o - 1] LEFT JOIN pg_namespace ln ON ln.oid = l.collnamespace
) k
WHERE i.indrelid = $1::oid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL
  AND k.known = i.indnkeyatts AND k.usual AND k.least = k.most AND k.least IN (0, 3)
ORDER BY i.indisprimary DESC, i.indnkeyatts, c.relname
"""


@dataclass(frozen=True)
class KeyColumn:
    """One key column: its type for casts, and the collation of the *index*, which is what decides the order."""

    name: str
    type: str
    type_schema: str
    type_name: str
    collation: tuple[str, str] | None

    @property
    def identifier(self) -> sql.Composable:
        column = sql.Identifier(self.name)
        return (
            column
            if self.collation is None
            else sql.SQL("{} COLLATE {}").format(column, sql.Identifier(*self.collation))
        )

    @property
    def as_text(self) -> sql.Composable:
        is_json_shaped = self.type_name == "jsonb" or self.type_name.startswith(
            "_"
        )  # arrays: their JSON does not cast back
        form = sql.SQL("{}::text") if is_json_shaped else sql.SQL("to_jsonb({}) #>> '{{}}'")
        return form.format(sql.Identifier(self.name))

    def value(self, number: int) -> sql.Composable:
        """The text bound as `$number`, cast back to the key's own type."""
        return sql.SQL("${}::{}").format(sql.SQL(str(number)), sql.Identifier(self.type_schema, self.type_name))


@dataclass(frozen=True)
class Key:
    """The key a backfill walks along."""

    index: str
    is_primary: bool
    columns: tuple[KeyColumn, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    def order(self, direction: str = "ASC") -> sql.Composable:
        return sql.SQL(", ").join(
            sql.SQL("{} {}").format(c.identifier, sql.SQL("DESC" if direction == "DESC" else "ASC"))
            for c in self.columns
        )

    def tuple(self) -> sql.Composable:
        """`(a, b)`; a bare column when there is one, since ROW(a) cannot use the index."""
        inner = sql.SQL(", ").join(c.identifier for c in self.columns)
        return sql.SQL("({})").format(inner) if len(self.columns) > 1 else inner

    def values(self, start: int) -> sql.Composable:
        """`($start, ...)`, each cast to its column's type."""
        inner = sql.SQL(", ").join(c.value(start + i) for i, c in enumerate(self.columns))
        return sql.SQL("({})").format(inner) if len(self.columns) > 1 else inner

    def as_json(self) -> sql.Composable:
        """The key of a row as a JSON array of texts: what a `Cursor` holds."""
        return sql.SQL("jsonb_build_array({})").format(sql.SQL(", ").join(c.as_text for c in self.columns))


def choose(conn: Connection[Any], table: Table, wanted: Sequence[str] | None) -> Key:
    """The primary key, or the unique key over `wanted` (in any order); Invalid with pointer /key or /table."""
    found = raw.rows(conn, _INDEXES, table.oid)
    usable = [_key(table, row) for row in found if not row[2]]
    if not wanted:
        if usable and (usable[0].is_primary):
            return usable[0]
        raise Invalid.field("/table", _no_primary(table, usable))
    _must_exist(table, wanted)
    for key in usable:
        if sorted(key.names) == sorted(wanted):
            return key
    written = ", ".join(wanted)
    if any(sorted(row[3]) == sorted(wanted) for row in found):
        raise Invalid.field(
            "/key", f"{written} may be NULL, and a NULL has no place in an order; make it NOT NULL first."
        )
    raise Invalid.field(
        "/key",
        f"{written} is not a unique key: it needs a valid unique index over exactly these columns, without WHERE or "
        f"expressions, in one direction.{_offers(usable)}",
    )


def _must_exist(table: Table, wanted: Sequence[str]) -> None:
    for name in wanted:
        if table.column(name) is None:
            near = similar(name, [column.name for column in table.columns])
            raise Invalid.field("/key", f"{table.name} has no column {name!r}.{near}")


def _no_primary(table: Table, usable: list[Key]) -> str:
    way = _offers(usable) or " Add a primary key, or a unique index over NOT NULL columns and name its columns in key."
    return f"{table.name} has no primary key to walk along.{way}"


def _offers(usable: list[Key]) -> str:
    names = " or ".join("[" + ", ".join(key.names) + "]" for key in usable)
    return f" Usable as key: {names}." if names else ""


def _key(table: Table, row: raw.Row) -> Key:
    index, is_primary, _, names, schemas, collations = row
    columns = (_column(table, *parts) for parts in zip(names, schemas, collations, strict=True))
    return Key(index, is_primary, tuple(columns))


def _column(table: Table, name: str, schema: str | None, collation: str | None) -> KeyColumn:
    column = table.column(name)
    assert column is not None  # the index and the columns come from one catalog
    order = (schema, collation) if schema is not None and collation is not None else None
    return KeyColumn(name, column.type, column.type_schema, column.type_name, order)
