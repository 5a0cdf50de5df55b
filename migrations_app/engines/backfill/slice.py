"""Some seconds of a backfill: chunk after chunk, each one transaction, until told to stop, out of time or done."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import psycopg
from psycopg import Connection, IsolationLevel
from psycopg.pq import TransactionStatus

from migrations_app.engines.backfill import checkpoint, raw, statements, throttle
from migrations_app.engines.backfill.checkpoint import Checkpoint
from migrations_app.engines.backfill.definition import Checked
from migrations_app.engines.backfill.keys import Cursor
from migrations_app.engines.backfill.pace import FLOOR, START, Pace
from migrations_app.engines.backfill.throttle import Limits, Observation
from migrations_app.engines.postgres.sqlstate import Failure, classify
from migrations_app.errors import Invalid

NAP_S = 0.2  # the longest wait without asking whether to stop
CLAIM_TIMEOUT_MS = 5_000  # a predecessor's last chunk may still be committing

# Signs that the chunk is too large or met somebody else's lock: worth another try with half the rows.
SHRINKING = (
    psycopg.errors.LockNotAvailable,
    psycopg.errors.DeadlockDetected,
    psycopg.errors.QueryCanceled,
    psycopg.errors.SerializationFailure,
)


@dataclass(frozen=True)
class ChunkDone:
    """One committed chunk: where the backfill now stands, rows changed and passed, seconds, the next chunk's size."""

    checkpoint: Checkpoint
    changed: int
    scanned: int
    elapsed_s: float
    next_rows: int


@dataclass(frozen=True)
class SliceResult:
    """What a slice did. Exactly one of `done`, `stopped` (the caller's word), `failure` or none (out of time) ended it.

    `rows` were changed and `scanned` passed in this slice. `throttled_reason` is set while the throttle stops the next
    chunk, `trouble` while a chunk that met a lock or a timeout is being tried again: both say why nothing moves.
    """

    rows: int
    scanned: int
    cursor: Cursor | None
    checkpoint: Checkpoint
    done: bool
    throttled_reason: str | None
    chunk_rows: int
    stopped: str | None
    elapsed_s: float
    failure: Failure | None
    trouble: str | None


def run_slice(
    conn: Connection[Any],
    checked: Checked,
    *,
    backfill_id: str,
    epoch: int,
    limits: Limits,
    observe: Callable[[], Observation | None],
    should_stop: Callable[[], str | None],
    on_chunk: Callable[[ChunkDone], None] = lambda _: None,
    budget_s: float = 5.0,
    chunk_rows: int = START,
    kept: Checkpoint | None = None,
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> SliceResult:
    """Work on a backfill for about `budget_s` seconds and say where it stands.

    Raises `Fenced` when another worker took over, and Invalid when the target keeps no checkpoint and none is given.

    `conn` is a read-write session on the target, outside a transaction. `observe` and `should_stop` are asked before
    each chunk and at least every 250 ms while waiting. Start with the `chunk_rows` of the slice before. Database errors
    come back as `failure`. `kept` is the caller's own checkpoint: give it in each slice of a backfill that started with
    the guarantee "at_least_once", and never for another one; where progress is kept must not change half-way.
    """
    if conn.info.transaction_status != TransactionStatus.IDLE:
        raise ValueError("a slice needs a connection outside a transaction: its chunks must be able to commit")
    if checked.guarantee == "at_least_once" and kept is None:
        raise Invalid(
            "This target no longer lets Tidegate keep this backfill's checkpoint in schema tidegate. Give its role "
            "the rights back (CREATE on the database, or on the schema and its tables), then resume."
        )
    conn.isolation_level = (
        IsolationLevel.READ_COMMITTED
    )  # after waiting for a row, see it as it is now: that is the fence
    pace = Pace(limits.chunk_ms / 1000, chunk_rows)
    run = _Slice(conn, checked, limits, observe, should_stop, on_chunk, now, sleep, now() + budget_s, pace, kept)
    return run.work(Checkpoint(backfill_id, epoch))


@dataclass
class _Slice:
    """The moving state of one slice; nothing outlives it."""

    conn: Connection[Any]
    checked: Checked
    limits: Limits
    observe: Callable[[], Observation | None]
    should_stop: Callable[[], str | None]
    on_chunk: Callable[[ChunkDone], None]
    now: Callable[[], float]
    sleep: Callable[[float], None]
    deadline: float
    pace: Pace
    kept: Checkpoint | None
    changed: int = 0
    scanned: int = 0
    busy_s: float = 0.0
    tries: int = 0
    throttled: str | None = None
    stopped: str | None = None
    failure: Failure | None = None
    trouble: str | None = None
    began: float = field(init=False)
    at: Checkpoint = field(init=False)

    def work(self, initial: Checkpoint) -> SliceResult:
        self.began, self.at = self.now(), initial
        try:
            self.at = self._open()
        except psycopg.Error as error:
            self.failure = classify(error)
        while not (self.at.done or self.failure or self._over()):
            if self._may_go():
                self._attempt()
        return SliceResult(
            rows=self.changed,
            scanned=self.scanned,
            cursor=self.at.cursor,
            checkpoint=self.at,
            done=self.at.done,
            throttled_reason=self.throttled,
            chunk_rows=self.pace.rows,
            stopped=self.stopped,
            elapsed_s=self.now() - self.began,
            failure=self.failure,
            trouble=self.trouble,
        )

    def _open(self) -> Checkpoint:
        """Take the backfill over and, the first time, fix where it ends."""
        if self.kept is None:
            checkpoint.ensure(self.conn)
        with self.conn.transaction():
            raw.settings(self.conn, lock_timeout=str(CLAIM_TIMEOUT_MS))
            at = self.kept or checkpoint.claim(self.conn, self.at.backfill_id, self.at.epoch)
            if at.done or at.upper is not None:
                return at
            upper = statements.last_key(self.conn, self.checked.change)
            bounded = replace(at, upper=upper, done=upper is None)
            if self.kept is None:
                checkpoint.advance(self.conn, at, bounded)
        return bounded

    def _over(self) -> bool:
        self.stopped = self.stopped or self.should_stop()
        return self.stopped is not None or self.now() >= self.deadline

    def _may_go(self) -> bool:
        """Ask the throttle, and rest as it says; True when the next chunk may start."""
        decision = throttle.decide(
            self.observe(), self.limits, busy_s=self.busy_s, now=self.now(), was_throttled=self.throttled is not None
        )
        self.throttled = None if decision.go else decision.reason
        self.busy_s = 0.0
        if decision.rest_s > 0:
            return self._rest(decision.rest_s) and decision.go
        return decision.go

    def _rest(self, seconds: float) -> bool:
        """Wait in naps; False when the slice is over before the wait is."""
        until = self.now() + seconds
        while (left := until - self.now()) > 0:
            self.sleep(min(left, NAP_S))
            if self._over():
                return False
        return True

    def _attempt(self) -> None:
        """One chunk; what PostgreSQL refuses becomes a smaller chunk, or the end of the slice."""
        began = self.now()
        try:
            reached, changed, scanned = self._chunk()
        except SHRINKING as error:
            self._shrink(error)
            return
        except psycopg.Error as error:
            self.failure = classify(error)
            return
        self.busy_s = self.now() - began
        self.tries, self.trouble, self.at = 0, None, reached
        self.changed, self.scanned = self.changed + changed, self.scanned + scanned
        self.pace = self.pace.after(scanned, self.busy_s)
        self.on_chunk(ChunkDone(reached, changed, scanned, self.busy_s, self.pace.rows))

    def _chunk(self) -> tuple[Checkpoint, int, int]:
        """One transaction: lock the checkpoint, find the bound, change the rows, move the checkpoint."""
        change, at = self.checked.change, self.at
        assert at.upper is not None  # _open saw to it
        with self.conn.transaction():
            self._set_limits()
            if self.kept is None:
                checkpoint.hold(self.conn, at)
            bound = statements.next_bound(self.conn, change, at.cursor, at.upper, self.pace.rows)
            is_last = bound is None
            bound = bound or at.upper
            changed = statements.update(self.conn, change, at.cursor, bound)
            scanned = self.pace.rows
            if is_last:
                scanned = statements.count_range(self.conn, change, at.cursor, at.upper, matching=False)
            reached = at.after(bound, changed=changed, scanned=scanned, done=is_last)
            if self.kept is None:
                checkpoint.advance(self.conn, at, reached)
        return reached, changed, scanned

    def _set_limits(self) -> None:
        raw.settings(
            self.conn,
            lock_timeout=str(self.limits.lock_timeout_ms),
            statement_timeout=str(self.limits.statement_timeout_ms),
            standard_conforming_strings="on",  # the checked expressions were read under this rule
            plan_cache_mode="force_custom_plan",  # a plan made for "some range" may scan the table for each chunk
        )

    def _shrink(self, error: psycopg.Error) -> None:
        """Try again with half the rows after a growing pause, or give up when that cannot help any more."""
        self.tries += 1
        failure = classify(error)
        is_hopeless = failure.kind == "statement_timeout" and self.pace.rows <= FLOOR
        if is_hopeless or self.tries >= self.limits.tries:
            self.failure = failure
            return
        self.pace, self.busy_s = self.pace.after_trouble(), 0.0
        again = f"try {self.tries + 1} of {self.limits.tries}, with {self.pace.rows} rows"
        self.trouble = f"{failure.message} ({again}). {failure.advice}"
        self._rest(random.uniform(0.05, 0.1) * 2 ** min(self.tries, 4))  # noqa: S311  # jitter against lockstep, not a secret
