"""A row of ours in the target that is written again and again, so that a replica's lag can be read in seconds.

PostgreSQL's own figures lie: `replay_lag` is NULL on an idle primary and gone with a killed replica, and the time of
the last replayed transaction grows on a healthy idle one. The clock of the primary alone counts here.
"""

from __future__ import annotations

from dataclasses import dataclass

import psycopg

STALE_AFTER_S = 5.0  # an older beat is of a backfill that has ended, and measures nothing


@dataclass(frozen=True)
class Heartbeat:
    """One beat: its number, and when it was written in seconds of the epoch by the primary's clock."""

    seq: int
    at: float

    def lag_s(self, replayed: Heartbeat, now: float) -> float:
        """How long, at `now`, a replica has lacked the oldest beat that it lacks; 0 when it has this latest one.

        Exact to one beat. With several missing the oldest one's time is taken to be one even step after the replayed.
        """
        missing = self.seq - replayed.seq
        if missing <= 0:
            return 0.0
        return max(0.0, now - (replayed.at + (self.at - replayed.at) / missing))


CREATE = """
CREATE SCHEMA IF NOT EXISTS tidegate;
CREATE TABLE IF NOT EXISTS tidegate.heartbeat (
    id int PRIMARY KEY CHECK (id = 1), seq bigint NOT NULL, at timestamptz NOT NULL
) WITH (fillfactor = 10)
"""
BEAT = """
INSERT INTO tidegate.heartbeat AS kept (id, seq, at) VALUES (1, 1, clock_timestamp())
ON CONFLICT (id) DO UPDATE SET seq = kept.seq + 1, at = clock_timestamp()
RETURNING seq, extract(epoch FROM at)::float8
"""
READ = "SELECT seq, extract(epoch FROM at)::float8 FROM tidegate.heartbeat"
EXISTS = "SELECT to_regclass('tidegate.heartbeat') IS NOT NULL"


def ensure(conn: psycopg.Connection) -> bool:
    """Create schema and table where they are missing. False when the role may not; the caller goes on without."""
    if _exists(conn):
        return True
    try:
        with conn.transaction():
            conn.execute(CREATE)
    except (psycopg.errors.InsufficientPrivilege, psycopg.errors.UniqueViolation, psycopg.errors.DuplicateTable):
        return _exists(conn)  # IF NOT EXISTS still fails for the slower of two workers that create at once
    return True


def beat(conn: psycopg.Connection) -> Heartbeat:
    """Write the next beat. `conn` must be in autocommit mode, or the beat is dated before it can be seen."""
    row = conn.execute(BEAT).fetchone()
    assert row is not None
    return Heartbeat(*row)


def read(conn: psycopg.Connection) -> Heartbeat | None:
    """The latest beat as this server has it; None when there was never one."""
    if not _exists(conn):
        return None
    row = conn.execute(READ).fetchone()
    return Heartbeat(*row) if row else None


def _exists(conn: psycopg.Connection) -> bool:
    row = conn.execute(EXISTS).fetchone()
    return row is not None and bool(row[0])
