"""Whether a table holds anything, and each column values or NULLs: read under a budget, never estimated.

What could not be read in time, or not at all, is None, and None is treated as if there were data.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql
from psycopg.abc import Query

from migrations_app.engines.postgres.sqlstate import classify
from migrations_app.engines.risk.facts import Question

FIRST_ROWS = 1_000
COUNTED_ROWS = 100_000
TABLES_AT_ONCE = 50
QUESTION_LOCK_TIMEOUT = "500ms"
REFUSALS = frozenset({"42804", "42846", "42883", "P0001"})
"""With classes 22 and 23: a value or a type that does not fit, or a function that says so."""


@dataclass
class Budget:
    """Time for all the probes of one reading together."""

    ends_at: float

    @classmethod
    def of_ms(cls, milliseconds: int) -> Budget:
        return cls(time.monotonic() + milliseconds / 1000)

    @property
    def half(self) -> Budget:
        """What one question may take, so that a slow one leaves something to the next."""
        now = time.monotonic()
        return Budget(now + (self.ends_at - now) / 2)

    @property
    def left_ms(self) -> int:
        return int((self.ends_at - time.monotonic()) * 1000)


Name = tuple[str, str]
"""Schema and table."""


@dataclass(frozen=True)
class Looked:
    """What the rows of a table showed of its columns, by column; True and False are proven.

    `has_values`: something other than NULL. `has_nulls`: a NULL. `rows` is their number when all of them were seen.
    """

    has_values: Mapping[str, bool | None]
    has_nulls: Mapping[str, bool | None]
    rows: int | None = None


def has_rows(conn: psycopg.Connection, tables: Sequence[Name], budget: Budget) -> dict[Name, bool | None]:
    """Whether each of the tables holds a row: many are asked at once, and each alone when that is refused."""
    found: dict[Name, bool | None] = {}
    for start in range(0, len(tables), TABLES_AT_ONCE):
        some = tables[start : start + TABLES_AT_ONCE]
        tests = [sql.SQL("EXISTS (SELECT FROM {})").format(sql.Identifier(*table)) for table in some]
        row = _ask(conn, sql.SQL("SELECT ") + sql.SQL(", ").join(tests), budget.half)
        if row is not None:
            found.update(zip(some, row, strict=True))
        elif len(some) > 1:
            for table in some:
                found |= has_rows(conn, [table], budget)
        else:
            found[some[0]] = None
    return found


def count_rows(conn: psycopg.Connection, table: Name, budget: Budget) -> int | None:
    """How many rows there are: exact up to `COUNTED_ROWS`, one more than that when there are more."""
    query = sql.SQL("SELECT count(*) FROM (SELECT FROM {} LIMIT {}) AS first").format(
        sql.Identifier(*table), COUNTED_ROWS + 1
    )
    row = _ask(conn, query, budget)
    return None if row is None else int(row[0])


def look(conn: psycopg.Connection, table: Name, columns: Sequence[str], budget: Budget) -> Looked:
    """What a table that holds rows has in its nullable columns.

    The first rows settle most of it; what they leave open is looked for in more rows, all at once. Only values behind
    very many NULLs are then searched for through the whole table, a column at a time: NULLs are not, for a column
    without any is common, and proving that reads everything.
    """
    none = dict.fromkeys(columns)
    values: dict[str, bool | None] = {**none}
    nulls: dict[str, bool | None] = {**none}
    count = 0
    for limit in (FIRST_ROWS, COUNTED_ROWS):
        open_columns = [column for column in columns if values[column] is None or nulls[column] is None]
        if not open_columns:
            break
        row = _first(conn, table, open_columns, limit, budget)
        if row is None:
            return Looked(values, nulls)
        count, *seen = row
        for place, column in enumerate(open_columns):
            for found, is_there in zip((values, nulls), seen[2 * place : 2 * place + 2], strict=True):
                found[column] = True if is_there or found[column] else (None if count == limit else False)
        if count < limit:
            return Looked(values, nulls, count)
    for column in [column for column in columns if values[column] is None]:
        query = sql.SQL("SELECT EXISTS (SELECT FROM {} WHERE {} IS NOT NULL)").format(
            sql.Identifier(*table), sql.Identifier(column)
        )
        one = _ask(conn, query, budget)
        values[column] = None if one is None else bool(one[0])
    return Looked(values, nulls)


def _first(
    conn: psycopg.Connection, table: Name, columns: Sequence[str], limit: int, budget: Budget
) -> tuple[Any, ...] | None:
    """The number of the first rows, and for each column whether they hold a value there, and whether a NULL."""
    names = [sql.Identifier(column) for column in columns]
    tests = [sql.SQL("bool_or({0} IS NOT NULL), bool_or({0} IS NULL)").format(name) for name in names]
    query = sql.SQL("SELECT count(*), {} FROM (SELECT {} FROM {} LIMIT {}) AS first").format(
        sql.SQL(", ").join(tests), sql.SQL(", ").join(names), sql.Identifier(*table), limit
    )
    return _ask(conn, query, budget)


def answer(conn: psycopg.Connection, questions: Iterable[Question], *, budget: Budget) -> dict[str, object]:
    """The values that the questions ask for, by their SQL; {"error": sqlstate} when the rows or types refuse one.

    Each runs alone, in a read-only transaction that is rolled back. One that is not answered in time, waits for a
    lock, or needs a right that the role lacks is left out. Raises psycopg's errors when the connection breaks.
    """
    answers: dict[str, object] = {}
    for text in dict.fromkeys(question.sql for question in questions):
        try:
            row = _read_only(conn, text, budget.half)
        except psycopg.Error as error:
            if classify(error).kind in {"connection_lost", "shutdown"}:
                raise
            state = error.sqlstate or ""
            if state[:2] in {"22", "23"} or state in REFUSALS:
                answers[text] = {"error": state}
        else:
            if row is not None:
                answers[text] = row[0]
    return answers


def _read_only(conn: psycopg.Connection, text: str, budget: Budget) -> tuple[Any, ...] | None:
    if budget.left_ms <= 0:
        return None
    with conn.transaction(force_rollback=True):
        conn.execute("SET TRANSACTION READ ONLY")
        _limit(conn, budget, lock_timeout=QUESTION_LOCK_TIMEOUT)
        # A binary result makes it the extended protocol, which takes one statement and never a second behind a ";".
        return conn.execute(text.encode(), binary=True).fetchone()


def _ask(conn: psycopg.Connection, query: Query, budget: Budget) -> tuple[Any, ...] | None:
    """One row, or None when the budget is spent, the table is locked, or the role may not read all of it.

    A transaction a probe, so that no table stays locked while the next one is read.
    """
    if budget.left_ms <= 0:
        return None
    try:
        with conn.transaction():
            _limit(conn, budget)
            return conn.execute(query).fetchone()
    except psycopg.Error as error:
        if classify(error).kind in {"connection_lost", "shutdown"}:
            raise
        return None


def _limit(conn: psycopg.Connection, budget: Budget, **settings: str) -> None:
    """For this transaction. With row_security off PostgreSQL refuses a query instead of hiding rows from us."""
    settings |= {"statement_timeout": f"{budget.left_ms}ms", "row_security": "off", "jit": "off"}
    calls = ", ".join(["set_config(%s, %s, true)"] * len(settings))
    conn.execute(f"SELECT {calls}".encode(), [part for pair in settings.items() for part in pair])
