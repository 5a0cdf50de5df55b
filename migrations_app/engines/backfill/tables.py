"""The table that a backfill names: found exactly as it is called, or refused with the names that come close."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Any

from psycopg import Connection

from migrations_app.engines.backfill import raw
from migrations_app.errors import Invalid

KINDS = {"v": "a view", "m": "a materialized view", "f": "a foreign table", "S": "a sequence", "i": "an index"}
OURS = ("tidegate", "pg_catalog", "information_schema", "pg_toast")

_FIND = b"""
SELECT c.oid::bigint, n.nspname::text, c.relname::text, c.relkind::text,
       EXISTS (SELECT FROM pg_inherits h WHERE h.inhparent = c.oid), c.relrowsecurity,
       EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = c.oid AND NOT g.tgisinternal
                                 AND g.tgenabled <> 'D' AND (g.tgtype & 16) <> 0)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relname::text = $1::text
  AND CASE WHEN $2::text IS NULL THEN pg_table_is_visible(c.oid) ELSE n.nspname::text = $2::text END
"""

_COLUMNS = b"""
SELECT a.attname::text, format_type(a.atttypid, a.atttypmod), t.typname::text, tn.nspname::text, a.attnotnull,
       a.attgenerated::text <> '', a.attidentity::text = 'a',
       EXISTS (SELECT FROM pg_index i WHERE i.indrelid = a.attrelid AND a.attnum = ANY (i.indkey))
FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid JOIN pg_namespace tn ON tn.oid = t.typnamespace
WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""

_NEAR = b"""
SELECT CASE WHEN pg_table_is_visible(c.oid) THEN '' ELSE n.nspname || '.' END || c.relname
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND n.nspname <> ALL ($1::text[]) ORDER BY c.relname LIMIT 5000
"""


@dataclass(frozen=True)
class Column:
    """One column as the catalog has it; `type` is how people read it, the type's own schema and name are for casts."""

    name: str
    type: str
    type_name: str
    type_schema: str
    not_null: bool
    is_generated: bool
    is_always_identity: bool
    is_indexed: bool


@dataclass(frozen=True)
class Table:
    """An ordinary or partitioned table with its columns in order."""

    oid: int
    schema: str
    name: str
    is_partitioned: bool
    has_children: bool
    has_row_security: bool
    has_update_triggers: bool
    columns: tuple[Column, ...]

    def column(self, name: str) -> Column | None:
        return next((column for column in self.columns if column.name == name), None)


def find(conn: Connection[Any], written: str) -> Table:
    """The table called `written` ("users", "app.users", '"Odd.Name"'); Invalid at /table when there is none."""
    if not written.strip() or not writable(written):
        raise Invalid.field(
            "/table", "Name the table: it is empty, or contains what no name can (a NUL, half a character)."
        )
    rows = {row[0]: row for name, schema in _readings(written) for row in raw.rows(conn, _FIND, name, schema)}
    if not rows:
        raise Invalid.field("/table", f"There is no table {written!r} in this database.{_similar(conn, written)}")
    if len(rows) > 1:
        names = " and ".join(f'"{row[1]}"."{row[2]}"' for row in rows.values())
        raise Invalid.field("/table", f"{written!r} could be {names}; write the one you mean with quotes.")
    oid, schema, name, kind, has_children, row_security, triggers = next(iter(rows.values()))
    if kind not in ("r", "p"):
        raise Invalid.field("/table", f"{written!r} is {KINDS.get(kind, 'not a table')}; a backfill needs a table.")
    if schema in OURS:
        raise Invalid.field("/table", f"Tables in schema {schema} belong to PostgreSQL or Tidegate; name one of yours.")
    columns = tuple(Column(*row) for row in raw.rows(conn, _COLUMNS, oid))
    return Table(oid, schema, name, kind == "p", kind == "r" and has_children, row_security, triggers, columns)


def writable(text: str) -> bool:
    """Whether PostgreSQL can be sent this text at all: no NUL, no lone surrogate (JSON can smuggle in both)."""
    return "\x00" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)


def similar(wanted: str, names: list[str]) -> str:
    """' Did you mean ...?' for names that differ little, or only in case; empty when none comes close."""
    same = [name for name in names if name.lower() == wanted.lower()]
    near = same or difflib.get_close_matches(wanted, names, n=3, cutoff=0.6)
    return f" Did you mean {' or '.join(near)}?" if near else ""


def _similar(conn: Connection[Any], written: str) -> str:
    return similar(written, [row[0] for row in raw.rows(conn, _NEAR, list(OURS))])


def _readings(written: str) -> list[tuple[str, str | None]]:
    """Each way to read the text as (table, schema): the whole as a name, split at each dot, and as quoted SQL."""
    splits = [(written[i + 1 :], written[:i]) for i, letter in enumerate(written) if letter == "."]
    readings: list[tuple[str, str | None]] = [(written, None), *splits]
    if len(parts := _unquoted(written)) in (1, 2):
        readings.append((parts[-1], parts[0] if len(parts) == 2 else None))
    return readings


def _unquoted(written: str) -> list[str]:
    """The parts of "a"."b" or a."b" with their quotes taken off; [] when the text is not quoted SQL."""
    parts: list[str] = []
    part, inside, at = "", False, 0
    while at < len(written):
        letter = written[at]
        if letter == '"' and inside and written[at + 1 : at + 2] == '"':
            part, at = part + '"', at + 1
        elif letter == '"':
            inside = not inside
        elif letter == "." and not inside:
            parts, part = [*parts, part], ""
        else:
            part += letter
        at += 1
    return [] if inside or '"' not in written else [*parts, part]
