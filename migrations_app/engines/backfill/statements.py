"""The SQL of a backfill, made once a slice: bound look-up, chunk, counts and sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import Connection, sql

from migrations_app.engines.backfill import raw
from migrations_app.engines.backfill.keys import Cursor, Key


@dataclass(frozen=True)
class Change:
    """One table, its SET expressions and WHERE (proven by `expressions`), and the key that orders it."""

    schema: str
    table: str
    key: Key
    set: tuple[tuple[str, str], ...]
    where: str | None

    @property
    def name(self) -> sql.Identifier:
        return sql.Identifier(self.schema, self.table)

    @property
    def assignments(self) -> sql.Composable:
        parts = (sql.SQL("{} = {}").format(sql.Identifier(column), enclosed(text)) for column, text in self.set)
        return sql.SQL(", ").join(parts)

    @property
    def condition(self) -> sql.Composable:
        return enclosed(self.where) if self.where is not None else sql.SQL("true")


def enclosed(text: str) -> sql.Composable:
    """A person's expression in parentheses; the line break ends a trailing `--` comment before our parenthesis."""
    return sql.SQL("({}\n)").format(sql.SQL(text))  # not a literal, but proven to be one expression


def last_key(conn: Connection[Any], change: Change) -> Cursor | None:
    """The greatest key there is now; None for an empty table."""
    statement = sql.SQL("SELECT {} FROM {} ORDER BY {} LIMIT 1").format(
        change.key.as_json(), change.name, change.key.order("DESC")
    )
    return _cursor(raw.rows(conn, statement))


def next_bound(conn: Connection[Any], change: Change, after: Cursor | None, upper: Cursor, rows: int) -> Cursor | None:
    """The key of the `rows`-th row behind `after`; None when fewer are left up to `upper`: the walk ends there."""
    statement = sql.SQL("SELECT {} FROM {} WHERE {} ORDER BY {} LIMIT 1 OFFSET {}").format(
        change.key.as_json(), change.name, _range(change.key, after), change.key.order(), sql.Literal(rows - 1)
    )
    return _cursor(raw.rows(conn, statement, *upper, *(after or ())))


def update(conn: Connection[Any], change: Change, after: Cursor | None, bound: Cursor) -> int:
    """Change what matches in (after, bound]; the number of rows changed."""
    statement = update_sql(change, after is not None)
    return raw.count(conn, statement, *bound, *(after or ()))


def update_sql(change: Change, has_lower: bool) -> sql.Composable:
    """The chunk's UPDATE: `$1..` is the upper bound, then the lower one."""
    return sql.SQL("UPDATE {} SET {} WHERE {} AND {}").format(
        change.name, change.assignments, _range(change.key, () if has_lower else None), change.condition
    )


def count_range(conn: Connection[Any], change: Change, after: Cursor | None, upper: Cursor, *, matching: bool) -> int:
    """How many rows lie in (after, upper]: all of them, or those that match the WHERE."""
    statement = sql.SQL("SELECT count(*) FROM {} WHERE {} AND {}").format(
        change.name, _range(change.key, after), change.condition if matching else sql.SQL("true")
    )
    return int(raw.rows(conn, statement, *upper, *(after or ()))[0][0])


def count_matching(conn: Connection[Any], change: Change, upper: Cursor | None) -> tuple[int, int]:
    """Rows that match the WHERE now: (up to `upper`, behind it). Without `upper` all are behind it."""
    inside = _range(change.key, None) if upper is not None else sql.SQL("false")
    statement = sql.SQL(
        "SELECT count(*) FILTER (WHERE {0}), count(*) FILTER (WHERE NOT ({0})) FROM {1} WHERE {2}"
    ).format(inside, change.name, change.condition)
    [(old, new)] = raw.rows(conn, statement, *(upper or ()))
    return int(old), int(new)


def _range(key: Key, after: Sequence[str] | None) -> sql.Composable:
    """`key <= ($1, ..) AND key > ($n, ..)` as row comparisons, which one index scan answers."""
    upper = sql.SQL("{} <= {}").format(key.tuple(), key.values(1))
    if after is None:
        return upper
    return sql.SQL("{} AND {} > {}").format(upper, key.tuple(), key.values(1 + len(key.columns)))


def _cursor(found: list[raw.Row]) -> Cursor | None:
    return tuple(found[0][0]) if found else None
