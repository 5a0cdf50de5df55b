"""Who waits for a lock on a target right now, for whom, and which old transactions will make others wait."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg

from migrations_app.engines.postgres.locks import QUERY_SHOWN, Blocker, blockers


@dataclass(frozen=True)
class Waiter:
    """A session that waits for a lock. `waits_s`: since its statement began; `mode` and `table`: what it asks for."""

    pid: int
    application_name: str
    waits_s: float
    query: str
    mode: str
    table: str | None
    blocked_by: tuple[Blocker, ...]


@dataclass(frozen=True)
class OldTransaction:
    """A transaction that is open for long: a change of a table that it has used would queue behind it."""

    pid: int
    application_name: str
    state: str
    age_s: float
    query: str


WAITERS = """
SELECT a.pid, coalesce(a.application_name, ''),
       coalesce(extract(epoch FROM clock_timestamp() - a.query_start), 0)::float8,
       left(coalesce(a.query, ''), %(shown)s), l.mode,
       CASE WHEN l.relation IS NOT NULL THEN l.relation::regclass::text END
FROM pg_stat_activity a JOIN pg_locks l ON l.pid = a.pid AND NOT l.granted
WHERE a.datname = current_database()
ORDER BY a.query_start
LIMIT 100
"""
OLD = """
SELECT pid, coalesce(application_name, ''), coalesce(state, 'unknown'),
       extract(epoch FROM clock_timestamp() - xact_start)::float8, left(coalesce(query, ''), %(shown)s)
FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
  AND xact_start < clock_timestamp() - make_interval(secs => %(age_s)s)
ORDER BY xact_start
LIMIT 100
"""


def waiters(conn: psycopg.Connection) -> tuple[Waiter, ...]:
    """The sessions of this database that wait for a lock, the longest first."""
    rows = conn.execute(WAITERS, {"shown": QUERY_SHOWN}).fetchall()
    return tuple(
        Waiter(pid, name, waits_s, query, mode, table, blockers(conn, pid))
        for pid, name, waits_s, query, mode, table in rows
    )


def old_transactions(conn: psycopg.Connection, *, older_than_s: float = 300) -> tuple[OldTransaction, ...]:
    """The transactions of this database that are open for longer, the oldest first."""
    return tuple(OldTransaction(*row) for row in conn.execute(OLD, {"shown": QUERY_SHOWN, "age_s": older_than_s}))
