"""What the backfill tests share: a slice with everything but the point of the test filled in."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import psycopg

from migrations_app.engines.backfill.definition import Checked, Definition, check
from migrations_app.engines.backfill.slice import SliceResult, run_slice
from migrations_app.engines.backfill.throttle import Limits, Observation, ReplicaReading

Connection = psycopg.Connection[Any]
FAST = Limits(duty=1.0)


def checked(
    conn: Connection, table: str, *, where: str | None = None, key: tuple[str, ...] | None = None, **set_: str
) -> Checked:
    return check(conn, Definition(table, set_, where, key))


def calm() -> Observation:
    return Observation((), 0, time.monotonic())


def lagging(lag_s: float | None = 9.0, state: str = "streaming") -> Observation:
    return Observation((ReplicaReading("r2", lag_s, 0 if lag_s is None else 1, state),), 0, time.monotonic())


def go(conn: Connection, what: Checked, **options: Any) -> SliceResult:
    """One slice that nothing holds back, unless `options` say otherwise."""
    given = {"backfill_id": "b1", "epoch": 1, "limits": FAST, "observe": calm, "should_stop": lambda: None, **options}
    return run_slice(conn, what, **given)


def stop_after(chunks: int) -> Callable[[], str | None]:
    """A `should_stop` that says "enough" once asked more than `chunks` times (it is asked once a chunk)."""
    asked = iter(range(10_000))
    return lambda: "enough" if next(asked) >= chunks else None


def numbers(conn: Connection, rows: int, table: str = "t") -> None:
    """A table with `rows` rows and a counter `n` of 0 in each."""
    conn.execute(f"CREATE TABLE {table} (id bigint PRIMARY KEY, n int NOT NULL DEFAULT 0, note text)")
    conn.execute(f"INSERT INTO {table} SELECT g FROM generate_series(1, {rows}) g")


def counters(conn: Connection, table: str = "t") -> list[tuple[int, int]]:
    """(value of n, rows that have it), which is [(1, all)] when every row was treated exactly once."""
    return conn.execute(f"SELECT n, count(*) FROM {table} GROUP BY n ORDER BY n").fetchall()
