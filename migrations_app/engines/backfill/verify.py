"""What is left: the rows that still match the WHERE, those of the backfill told apart from those that came later."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import Connection

from migrations_app.engines.backfill import raw, statements
from migrations_app.engines.backfill.checkpoint import Checkpoint
from migrations_app.engines.backfill.definition import Checked
from migrations_app.engines.backfill.keys import Cursor

COUNT_TIMEOUT_MS = 30_000
CHUNK_ROWS = 200_000


@dataclass(frozen=True)
class Remaining:
    """`rows` still match although the walk passed them, `rows_since_start` match and lie behind its end (new ones).

    Both are None where counting proves nothing (no WHERE, or one that the SET cannot change): then `verified` says that
    the walk reached its end. `reason` is the verdict in words.
    """

    rows: int | None
    rows_since_start: int | None
    verified: bool
    reason: str


def remaining(
    conn: Connection[Any],
    checked: Checked,
    checkpoint: Checkpoint,
    *,
    timeout_ms: int = COUNT_TIMEOUT_MS,
    should_stop: Callable[[], str | None] = lambda: None,
) -> Remaining:
    """Count exactly what still matches, in one query or, when that takes too long, chunk by chunk. Reads only.

    Rows that other sessions change meanwhile count as they are when the count passes them.
    """
    if not checkpoint.done:
        return Remaining(None, None, False, "The backfill has not reached its end yet.")
    if not checked.is_countable:
        return Remaining(None, None, True, _unprovable(checked))
    try:
        with conn.transaction():
            raw.settings(conn, statement_timeout=str(timeout_ms), standard_conforming_strings="on")
            old, new = statements.count_matching(conn, checked.change, checkpoint.upper)
    except psycopg.errors.QueryCanceled:
        counted = _in_chunks(conn, checked, checkpoint.upper, timeout_ms, should_stop)
        if isinstance(counted, str):
            return Remaining(None, None, False, f"The count was stopped: {counted}.")
        old, new = counted
    return Remaining(old, new, old == 0, _verdict(old, new))


def _in_chunks(
    conn: Connection[Any],
    checked: Checked,
    upper: Cursor | None,
    timeout_ms: int,
    should_stop: Callable[[], str | None],
) -> tuple[int, int] | str:
    """(up to `upper`, behind it), or the word that stopped the count."""
    with conn.transaction():
        end = statements.last_key(conn, checked.change)
    found = []
    for after, to in ((None, upper), (upper, end)):
        walked = _walk(conn, checked, after, to, timeout_ms, should_stop) if to is not None else 0
        if isinstance(walked, str):
            return walked
        found.append(walked)
    return found[0], found[1]


def _walk(
    conn: Connection[Any],
    checked: Checked,
    after: Cursor | None,
    to: Cursor,
    timeout_ms: int,
    should_stop: Callable[[], str | None],
) -> int | str:
    """Matching rows in (after, to], range by range in short transactions: no old snapshot holds back vacuum."""
    change, matching = checked.change, 0
    while after != to:
        if (word := should_stop()) is not None:
            return word
        with conn.transaction():
            raw.settings(conn, statement_timeout=str(timeout_ms), standard_conforming_strings="on")
            bound = statements.next_bound(conn, change, after, to, CHUNK_ROWS) or to
            matching += statements.count_range(conn, change, after, bound, matching=True)
        after = bound
    return matching


def _verdict(old: int, new: int) -> str:
    since = f" {new} rows that came after the start match too; the application still writes such rows." if new else ""
    if old:
        return f"{old} rows still match the WHERE. Run another pass, or see whether SET really makes it false.{since}"
    return f"No row of the backfill is left.{since}"


def _unprovable(checked: Checked) -> str:
    if checked.change.where is None:
        return "There is no WHERE to count by; the walk reached the end of the table as it was at the start."
    return "The WHERE does not mention a column that is set, so counting proves nothing; the walk reached its end."
