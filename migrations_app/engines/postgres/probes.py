"""Whether a table, and each of its columns, holds anything: read under a budget, never estimated.

What could not be read in time, or not at all, is None, and None is treated as if there were data.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql
from psycopg.abc import Query

from migrations_app.engines.postgres.sqlstate import classify

FIRST_ROWS = 1_000
COUNTED_ROWS = 100_000


@dataclass
class Budget:
    """Time for all the probes of one reading together."""

    ends_at: float

    @classmethod
    def of_ms(cls, milliseconds: int) -> Budget:
        return cls(time.monotonic() + milliseconds / 1000)

    @property
    def left_ms(self) -> int:
        return int((self.ends_at - time.monotonic()) * 1000)


def has_rows(conn: psycopg.Connection, schema: str, table: str, budget: Budget) -> bool | None:
    row = _ask(conn, sql.SQL("SELECT EXISTS (SELECT FROM {})").format(sql.Identifier(schema, table)), budget)
    return None if row is None else bool(row[0])


def count_rows(conn: psycopg.Connection, schema: str, table: str, budget: Budget) -> int | None:
    """How many rows there are: exact up to `COUNTED_ROWS`, one more than that when there are more."""
    query = sql.SQL("SELECT count(*) FROM (SELECT FROM {} LIMIT {}) AS first").format(
        sql.Identifier(schema, table), COUNTED_ROWS + 1
    )
    row = _ask(conn, query, budget)
    return None if row is None else int(row[0])


def has_values(
    conn: psycopg.Connection, schema: str, table: str, columns: Sequence[str], budget: Budget
) -> Mapping[str, bool | None]:
    """For each of the nullable columns whether any row holds a value there.

    A look at the first rows settles most of them; only a column that is NULL in all of these is searched for alone.
    """
    if not columns:
        return {}
    name = sql.Identifier(schema, table)
    tests = sql.SQL(", ").join(sql.SQL("bool_or({} IS NOT NULL)").format(sql.Identifier(column)) for column in columns)
    query = sql.SQL("SELECT count(*), {} FROM (SELECT * FROM {} LIMIT {}) AS first").format(tests, name, FIRST_ROWS)
    row = _ask(conn, query, budget)
    if row is None:
        return dict.fromkeys(columns)
    count, *seen = row
    found: dict[str, bool | None] = {column: bool(any_value) for column, any_value in zip(columns, seen, strict=True)}
    if count == FIRST_ROWS:
        for column in [column for column, any_value in found.items() if not any_value]:
            query = sql.SQL("SELECT EXISTS (SELECT FROM {} WHERE {} IS NOT NULL)").format(name, sql.Identifier(column))
            one = _ask(conn, query, budget)
            found[column] = None if one is None else bool(one[0])
    return found


def _ask(conn: psycopg.Connection, query: Query, budget: Budget) -> tuple[Any, ...] | None:
    """One row, or None when the budget is spent, the table is locked, or the role may not read all of it.

    A transaction a probe, so that no table stays locked while the next one is read. With row_security off PostgreSQL
    refuses the query instead of hiding rows from us.
    """
    if budget.left_ms <= 0:
        return None
    try:
        with conn.transaction():
            limits = "SELECT set_config('statement_timeout', %s, true), set_config('row_security', 'off', true)"
            conn.execute(limits, [f"{budget.left_ms}ms"])
            return conn.execute(query).fetchone()
    except psycopg.Error as error:
        if classify(error).kind in {"connection_lost", "shutdown"}:
            raise
        return None
