"""Where a backfill stands, kept in the target so that it commits together with the chunk: that is exactly once.

The row is also the fence. Each chunk locks it first, so a COMMIT under way of a worker believed dead is waited for,
and then finds (epoch, cursor) as it left them or stops. Where the target does not allow schema `tidegate`, the caller
keeps the checkpoint: then a crash between the chunk and the note of it repeats that chunk (at least once).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import psycopg
from psycopg import Connection
from psycopg.types.json import Jsonb

from migrations_app.engines.backfill import raw
from migrations_app.engines.backfill.keys import Cursor
from migrations_app.errors import Conflict

# Without IF NOT EXISTS two first backfills would collide; even with it CREATE can lose a race in the catalog, so
# everyone who creates first takes this advisory lock. ("tidegate" in ASCII.)
CREATION_LOCK = 0x7469646567617465

_MISSING = b"SELECT to_regclass('tidegate.backfill_checkpoint') IS NULL"
_CREATE = (
    b"CREATE SCHEMA IF NOT EXISTS tidegate",
    b"""CREATE TABLE IF NOT EXISTS tidegate.backfill_checkpoint (
        backfill_id text PRIMARY KEY, epoch bigint NOT NULL, cursor jsonb, upper jsonb,
        rows_done bigint NOT NULL DEFAULT 0, rows_scanned bigint NOT NULL DEFAULT 0,
        done boolean NOT NULL DEFAULT false,
        started_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now())""",
)
_FIELDS = b"backfill_id, epoch, cursor, upper, rows_done, rows_scanned, done"
_CLAIM = (
    b"INSERT INTO tidegate.backfill_checkpoint AS c (backfill_id, epoch) VALUES ($1::text, $2::bigint) "
    b"ON CONFLICT (backfill_id) DO UPDATE SET epoch = EXCLUDED.epoch WHERE c.epoch <= EXCLUDED.epoch RETURNING "
    + _FIELDS
)
_READ = b"SELECT " + _FIELDS + b" FROM tidegate.backfill_checkpoint WHERE backfill_id = $1::text"
_MATCH = b" WHERE backfill_id = $1::text AND epoch = $2::bigint AND cursor IS NOT DISTINCT FROM $3::jsonb"
_HOLD = b"SELECT FROM tidegate.backfill_checkpoint" + _MATCH + b" FOR UPDATE"
_ADVANCE = (
    b"UPDATE tidegate.backfill_checkpoint SET cursor = $4::jsonb, rows_done = $5::bigint, rows_scanned = $6::bigint, "
    b"done = $7::boolean, upper = $8::jsonb, updated_at = clock_timestamp()" + _MATCH
)


class Fenced(Conflict):
    """Another worker has taken this backfill over"""

    code = "fenced"


@dataclass(frozen=True)
class Checkpoint:
    """How far one backfill has come: rows behind `cursor` up to `upper` are still to do.

    `upper` is the greatest key at the start, so that new rows are not chased for ever; None until the first slice.
    `rows_done` counts changed rows, `rows_scanned` the rows passed over.
    """

    backfill_id: str
    epoch: int
    cursor: Cursor | None = None
    upper: Cursor | None = None
    rows_done: int = 0
    rows_scanned: int = 0
    done: bool = False

    def after(self, cursor: Cursor | None, *, changed: int, scanned: int, done: bool) -> Checkpoint:
        """The checkpoint once a chunk up to `cursor` is committed."""
        rows_done, rows_scanned = self.rows_done + changed, self.rows_scanned + scanned
        return replace(self, cursor=cursor, rows_done=rows_done, rows_scanned=rows_scanned, done=done)


def ensure(conn: Connection[Any]) -> None:
    """Create schema `tidegate` and the checkpoint table when missing, also when many do it at once."""
    with conn.transaction():
        if not raw.rows(conn, _MISSING)[0][0]:
            return
    for attempt in range(3):
        try:
            with conn.transaction():
                raw.settings(conn, lock_timeout="5000")
                raw.rows(conn, b"SELECT pg_advisory_xact_lock($1::bigint)", CREATION_LOCK)
                for statement in _CREATE:
                    raw.count(conn, statement)
            return
        except (psycopg.errors.UniqueViolation, psycopg.errors.DuplicateTable, psycopg.errors.DuplicateSchema):
            if attempt == 2:  # somebody without our lock was first, twice more: not a race any longer
                raise


def claim(conn: Connection[Any], backfill_id: str, epoch: int) -> Checkpoint:
    """Take the backfill over with `epoch` (from the caller's lease) and read where it stands.

    The epoch only rises; a lower one is `Fenced`. Waits for a chunk under way of the previous worker.
    """
    if found := raw.rows(conn, _CLAIM, backfill_id, epoch):
        return _checkpoint(found[0])
    current = read(conn, backfill_id)
    theirs = current.epoch if current else "unknown"
    raise Fenced(
        f"Backfill {backfill_id} is at epoch {theirs} in the target, this worker came with {epoch}. A newer worker has "
        "taken over; if there is none, Tidegate's own database is older than the target (restored from a backup?)."
    )


def read(conn: Connection[Any], backfill_id: str) -> Checkpoint | None:
    """Where a backfill stands according to the target; None when it never ran (the schema must exist)."""
    found = raw.rows(conn, _READ, backfill_id)
    return _checkpoint(found[0]) if found else None


def hold(conn: Connection[Any], at: Checkpoint) -> None:
    """First statement of a chunk: lock the row as `at` says it is, or `Fenced`. Waits for whoever holds it."""
    if not _found(conn, _HOLD, at):
        raise _moved(at)


def advance(conn: Connection[Any], at: Checkpoint, to: Checkpoint) -> None:
    """Compare-and-set from `at` to `to` in the open transaction; `Fenced` when the row is not as `at` says."""
    values = (_json(to.cursor), to.rows_done, to.rows_scanned, to.done, _json(to.upper))
    if raw.count(conn, _ADVANCE, at.backfill_id, at.epoch, _json(at.cursor), *values) != 1:
        raise _moved(at)


def reopen(conn: Connection[Any], at: Checkpoint) -> Checkpoint:
    """Start another pass from the first row, for rows that a finished pass missed (committed late, or new).

    Only for a WHERE that treated rows no longer match: any other expression would be applied again.
    """
    again = replace(at, cursor=None, upper=None, rows_scanned=0, done=False)
    with conn.transaction():
        advance(conn, at, again)
    return again


def _found(conn: Connection[Any], statement: bytes, at: Checkpoint) -> bool:
    return raw.count(conn, statement, at.backfill_id, at.epoch, _json(at.cursor)) == 1


def _moved(at: Checkpoint) -> Fenced:
    return Fenced(
        f"The checkpoint of backfill {at.backfill_id} was moved by another worker since epoch {at.epoch} read it; "
        "this worker has stopped and changed nothing more."
    )


def _json(cursor: Cursor | None) -> Jsonb | None:
    return None if cursor is None else Jsonb(list(cursor))


def _checkpoint(row: raw.Row) -> Checkpoint:
    backfill_id, epoch, cursor, upper, rows_done, rows_scanned, done = row
    after, to = (None if value is None else tuple(value) for value in (cursor, upper))
    return Checkpoint(backfill_id, epoch, after, to, rows_done, rows_scanned, done)
