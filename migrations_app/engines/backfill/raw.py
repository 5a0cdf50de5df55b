"""Statements with PostgreSQL's own `$1`: a `%` in a person's expression or in a name then means nothing to psycopg."""

from __future__ import annotations

from typing import Any, TypeAlias

from psycopg import Connection, RawCursor, sql
from psycopg.rows import tuple_row

Row: TypeAlias = tuple[Any, ...]
Statement: TypeAlias = bytes | sql.Composable


def rows(conn: Connection[Any], statement: Statement, *values: object) -> list[Row]:
    """Run one statement and fetch all of its rows."""
    cursor = _run(conn, statement, values)
    return cursor.fetchall() if cursor.description else []


def count(conn: Connection[Any], statement: Statement, *values: object) -> int:
    """Run one statement; the number of rows it changed."""
    return _run(conn, statement, values).rowcount


def settings(conn: Connection[Any], **values: str) -> None:
    """Set parameters for the rest of this transaction (SET LOCAL, but with bound values)."""
    calls = sql.SQL(", ").join(
        sql.SQL("set_config({}, {}, true)").format(sql.Literal(name), sql.Literal(value))
        for name, value in values.items()
    )
    rows(conn, sql.SQL("SELECT {}").format(calls))


def _run(conn: Connection[Any], statement: Statement, values: tuple[object, ...]) -> RawCursor[Row]:
    text = statement if isinstance(statement, bytes) else statement.as_bytes(conn)
    # binary: forces the extended protocol, in which the server itself refuses a second statement
    return RawCursor(conn, row_factory=tuple_row).execute(text, values or None, binary=True)
