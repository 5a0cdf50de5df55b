"""A dry run: some real rows before and after, out of a transaction that is rolled back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import Connection, sql

from migrations_app.engines.backfill import raw
from migrations_app.engines.backfill.definition import Checked
from migrations_app.engines.backfill.keys import Cursor
from migrations_app.engines.backfill.statements import Change

LOCK_TIMEOUT_MS = 300
STATEMENT_TIMEOUT_MS = 5_000


@dataclass(frozen=True)
class SampleRow:
    """One row, by its key: the set columns as JSON before and after. `still_matches`: the WHERE would find it again."""

    key: Cursor
    before: dict[str, Any]
    after: dict[str, Any]
    still_matches: bool


@dataclass(frozen=True)
class Sample:
    """The first rows that match. `error` says why it ends early: what PostgreSQL answered, and for which row."""

    rows: tuple[SampleRow, ...]
    error: str | None = None


def sample(conn: Connection[Any], checked: Checked, n: int = 20) -> Sample:
    """Try the change on up to `n` rows and undo it; holds their row locks for a moment only.

    Triggers run and are undone too, but sequences stay advanced.
    """
    found: list[SampleRow] = []
    key: Cursor | None = None
    try:
        with conn.transaction(force_rollback=True):
            raw.settings(
                conn,
                lock_timeout=str(LOCK_TIMEOUT_MS),
                statement_timeout=str(STATEMENT_TIMEOUT_MS),
                standard_conforming_strings="on",
            )
            for texts, before in raw.rows(conn, _select(checked.change, n)):
                key = tuple(texts)
                for after, still_matches in raw.rows(conn, _update_one(checked.change), *key):
                    found.append(SampleRow(key, before, after, still_matches))
    except (psycopg.DataError, psycopg.IntegrityError, psycopg.OperationalError, psycopg.InternalError) as error:
        if conn.broken:
            raise
        where = f" at key {', '.join(key)}" if key else " while looking for matching rows"
        return Sample(tuple(found), f"{error.diag.message_primary or error}{where}")
    return Sample(tuple(found))


def _select(change: Change, n: int) -> sql.Composable:
    return sql.SQL("SELECT {}, {} FROM {} WHERE {} ORDER BY {} LIMIT {}").format(
        change.key.as_json(), _values(change), change.name, change.condition, change.key.order(), sql.Literal(n)
    )


def _update_one(change: Change) -> sql.Composable:
    return sql.SQL("UPDATE {} SET {} WHERE {} = {} AND {} RETURNING {}, coalesce({}, false)").format(
        change.name,
        change.assignments,
        change.key.tuple(),
        change.key.values(1),
        change.condition,
        _values(change),
        change.condition,
    )


def _values(change: Change) -> sql.Composable:
    pairs = (sql.SQL("{}::text, {}").format(sql.Literal(column), sql.Identifier(column)) for column, _ in change.set)
    return sql.SQL("jsonb_build_object({})").format(sql.SQL(", ").join(pairs))
