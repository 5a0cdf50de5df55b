"""The one lock per target, who blocks whom, and the sessions that dead workers of ours left behind."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import psycopg

from migrations_app.errors import Conflict, Invalid

PREFIX = "tidegate:"
QUERY_SHOWN = 200  # characters of a blocker's query
CANCEL_GRACE_S = 0.5
TERMINATE_GRACE_S = 5.0


@dataclass(frozen=True)
class Session:
    """One session on the server. `since` is when it started."""

    pid: int
    application_name: str
    state: str
    since: datetime | None


@dataclass(frozen=True)
class Blocker:
    """A session that others wait for. `age_s` is that of its transaction, `mode` the strongest lock others wait on."""

    pid: int
    application_name: str
    state: str
    age_s: float
    query: str
    mode: str


def lock_key(system_identifier: str, database_oid: int) -> int:
    """The key of the session advisory lock that the one writer of a target holds.

    The first 8 bytes, big-endian and signed, of SHA-256 over "tidegate:<system_identifier>:<database_oid>". It must
    never change: an older Tidegate beside us would take another lock. Whoever migrates is told the number.
    """
    digest = hashlib.sha256(f"tidegate:{system_identifier}:{database_oid}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


# A bigint key is stored as two halves, and objsubid 1 tells it from a pair of int keys.
HOLDER = """
SELECT l.pid, coalesce(a.application_name, ''), coalesce(a.state, 'unknown'), a.backend_start
FROM pg_locks l LEFT JOIN pg_stat_activity a USING (pid)
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND l.classid = ((%(key)s::bigint >> 32) & 4294967295)::oid AND l.objid = (%(key)s::bigint & 4294967295)::oid
LIMIT 1
"""

# clock_timestamp(): inside a long transaction of ours now() would stand still. The mode is that of the lock on the
# very thing the waiter asks for; a blocker further up the queue does not hold it yet, and has asked for it itself.
BLOCKERS = """
SELECT b.pid, coalesce(a.application_name, ''), coalesce(a.state, 'unknown'),
       coalesce(extract(epoch FROM clock_timestamp() - coalesce(a.xact_start, a.backend_start)), 0)::float8,
       left(coalesce(a.query, ''), %(shown)s),
       coalesce((SELECT string_agg(DISTINCT held.mode, ', ')
                 FROM pg_locks wanted JOIN pg_locks held
                   ON held.pid = b.pid AND held.locktype = wanted.locktype
                  AND (held.database, held.relation, held.page, held.tuple, held.virtualxid, held.transactionid,
                       held.classid, held.objid, held.objsubid)
                      IS NOT DISTINCT FROM
                      (wanted.database, wanted.relation, wanted.page, wanted.tuple, wanted.virtualxid,
                       wanted.transactionid, wanted.classid, wanted.objid, wanted.objsubid)
                 WHERE wanted.pid = %(pid)s AND NOT wanted.granted), 'unknown')
FROM (SELECT DISTINCT unnest(pg_blocking_pids(%(pid)s)) AS pid) b LEFT JOIN pg_stat_activity a USING (pid)
ORDER BY 4 DESC
"""

OUR_SESSIONS = """
SELECT pid, application_name, coalesce(state, 'unknown'), backend_start FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND starts_with(application_name, %s)
ORDER BY backend_start
"""


def holder(conn: psycopg.Connection, key: int) -> Session | None:
    """Who holds the target's lock in this database; None when it is free."""
    row = conn.execute(HOLDER, {"key": key}).fetchone()
    return Session(*row) if row else None


def blockers(conn: psycopg.Connection, pid: int) -> tuple[Blocker, ...]:
    """Whom the session `pid` waits for, the oldest transaction first; () when it does not wait.

    Ask on another connection than the waiting one. A pid of 0 is a prepared transaction.
    """
    rows = conn.execute(BLOCKERS, {"pid": pid, "shown": QUERY_SHOWN})
    return tuple(Blocker(*row) for row in rows)


def our_sessions(conn: psycopg.Connection, prefix: str = PREFIX) -> tuple[Session, ...]:
    """Sessions of ours in this database, the asking one left out, the oldest first."""
    return tuple(Session(*row) for row in conn.execute(OUR_SESSIONS, [prefix]))


def end_sessions(conn: psycopg.Connection, application_name: str) -> tuple[int, ...]:
    """End every session in this database with exactly this name, one of ours, and return their pids once all are gone.

    A running statement is cancelled first, then the session is terminated, which releases its advisory lock too.
    `conn` must be in autocommit mode. Raises `Conflict` when one survives or may not be ended, `Invalid` when the name
    is not one of ours: nobody else's session is ever ended.
    """
    if not application_name.startswith(PREFIX) or application_name == PREFIX:
        raise Invalid.field("/application_name", f"Only sessions named {PREFIX}... are ours to end.")
    name = application_name.encode()[:63].decode(errors="ignore")  # the server keeps 63 bytes of it
    ended = tuple(session.pid for session in _named(conn, name))
    try:
        for session in _named(conn, name):
            if session.state == "active":
                conn.execute("SELECT pg_cancel_backend(%s)", [session.pid])
        _wait(lambda: not any(session.state == "active" for session in _named(conn, name)), CANCEL_GRACE_S)
        for session in _named(conn, name):
            conn.execute("SELECT pg_terminate_backend(%s)", [session.pid])
    except psycopg.errors.InsufficientPrivilege:
        raise Conflict(
            f"The session {name} is still there, and role {conn.info.user} may not end it. "
            "Use the role that opened it, or grant pg_signal_backend."
        ) from None
    if not _wait(lambda: not _named(conn, name), TERMINATE_GRACE_S):
        pids = ", ".join(str(session.pid) for session in _named(conn, name))
        raise Conflict(f"The session {name} (pid {pids}) does not end. Look at it on the server; nothing was started.")
    return ended


def _named(conn: psycopg.Connection, name: str) -> list[Session]:
    return [session for session in our_sessions(conn, name) if session.application_name == name]


def _wait(is_done: Callable[[], bool], patience_s: float) -> bool:
    deadline = time.monotonic() + patience_s
    while not is_done():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
