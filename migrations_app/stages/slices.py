"""The work of a backfill: one slice of seconds at a time, under the lease; safe to lose, double or be late with."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from datetime import timedelta

import psycopg
from django.conf import settings
from django.db.models.functions import Now

from migrations_app import lifecycle
from migrations_app.engines.backfill import declared, definition, estimate, throttle, verify
from migrations_app.engines.backfill.checkpoint import Checkpoint, Fenced
from migrations_app.engines.backfill.slice import ChunkDone, SliceResult, run_slice
from migrations_app.engines.postgres import replication
from migrations_app.engines.postgres.connect import connect
from migrations_app.engines.postgres.sqlstate import Failure, classify
from migrations_app.errors import Invalid, TidegateError
from migrations_app.models import Actor, Backfill, Sample, digest_inputs
from migrations_app.models.secrets import address_of, expected_replicas
from migrations_app.models.status import BackfillStatus

log = logging.getLogger(__name__)
WORKER = Actor.system("worker")
MOST_SAMPLES = 2_000
MOST_FAILURES = 8  # in a row; then a person has to look
TICK_S = 0.5  # how often progress is written
SAMPLE_S = 1.0


def sweep() -> list[str]:
    """Every backfill that has work and nobody working on it."""
    return list(Backfill.objects.due().values_list("pk", flat=True))


def work(*, backfill_id: str, owner: str) -> bool:
    """One slice, under the row's lease. True when there is more to do at once. Safe to lose, double or be late with."""
    lease_s = settings.TIDEGATE_LEASE_S
    epoch = Backfill.objects.due().claim(backfill_id, owner=owner, lease_s=lease_s)
    if epoch is None:
        return False
    row = Backfill.objects.select_related("target").get(pk=backfill_id)
    try:
        return _work(row, owner, epoch)
    finally:
        Backfill.objects.release(backfill_id, owner=owner, epoch=epoch)


def _work(row: Backfill, owner: str, epoch: int) -> bool:
    if _obey(row):
        return False
    try:
        with connect(
            address_of(row.target),
            application_name=f"tidegate:{row.pk}:{epoch}",
            read_write=True,
            statement_timeout_ms=0,
        ) as conn:
            return _slice(row, conn, owner, epoch)
    except psycopg.Error as error:
        _fail_or_wait(row, classify(error))
    except Fenced as error:
        lifecycle.touch(row, reason=f"this worker gave up: {error.detail}")
    except Invalid as error:
        lifecycle.advance(row, "failed", actor=WORKER, reason=error.detail, finished_at=Now())
        _tell_rollout(row)
    except TidegateError as error:
        _try_later(row, error.detail)
    except Exception:  # our own fault: counted and shown, instead of tried for ever in silence
        log.exception("a slice failed", extra={"backfill": row.pk})
        _try_later(row, "Something failed inside Tidegate; the worker's log says what.")
    return False


def _obey(row: Backfill) -> bool:
    """Between slices a pause or cancel that was asked takes effect at once."""
    done_so_far = f"{row.rows_done:,} rows are done and stay"
    if row.status == BackfillStatus.PAUSING:
        lifecycle.advance(row, "paused", actor=WORKER, reason=f"paused; {done_so_far}", throttle_reason="")
    elif row.status == BackfillStatus.CANCELLING:
        changes = {"finished_at": Now(), "throttle_reason": ""}
        lifecycle.advance(row, "cancelled", actor=WORKER, reason=f"cancelled; {done_so_far}", **changes)
    return row.status not in {BackfillStatus.RUNNING, BackfillStatus.VERIFYING}


def _slice(row: Backfill, conn: psycopg.Connection, owner: str, epoch: int) -> bool:
    checked = definition.check(conn, row.definition())
    if row.status == BackfillStatus.RUNNING and _is_stale(row, checked):
        return False
    if not row.rows_estimated and not row.rows_scanned:
        # One out of a revision: only now, with its table made, is there anything to measure.
        lifecycle.touch(row, guarantee=checked.guarantee, rows_estimated=checked.rows_estimated)
    with replication.ReplicaWatch(
        conn_address=address_of(row.target),
        replicas=expected_replicas(row.target),
        expected_system_identifier=row.target.system_identifier,
    ) as watch:
        ticker = _Ticker(row, owner, epoch, watch, row.limits())
        result = run_slice(
            conn,
            checked,
            backfill_id=row.pk,
            epoch=epoch,
            limits=row.limits(),
            observe=ticker.observe,
            should_stop=ticker.should_stop,
            on_chunk=ticker.on_chunk,
            budget_s=settings.TIDEGATE_SLICE_S,
            chunk_rows=row.chunk_rows,
            kept=_kept(row, epoch) if row.guarantee == "at_least_once" else None,
        )
        ticker.write(result.checkpoint, result.chunk_rows)
    row.refresh_from_db()
    return _conclude(row, conn, checked, result)


def _conclude(row: Backfill, conn: psycopg.Connection, checked: definition.Checked, result: SliceResult) -> bool:
    """What the slice means for the row. True when the next slice may follow at once."""
    if result.failure is not None:
        _fail_or_wait(row, result.failure)
        return False
    if result.trouble and not result.rows:
        lifecycle.touch(row, reason=f"tries again with fewer rows: {result.trouble}")
    elif row.attempts or row.reason.startswith("tries again"):
        lifecycle.touch(row, attempts=0, not_before=None, reason="it runs")
    if result.done and row.status in {"running", "pausing"}:
        lifecycle.advance(row, "verifying", actor=WORKER, reason="every range is done; counting what is left")
    if row.status == BackfillStatus.VERIFYING:
        _verify(row, conn, checked, result.checkpoint)
        return False
    return not _obey(row)


def _verify(row: Backfill, conn: psycopg.Connection, checked: definition.Checked, at: Checkpoint) -> None:
    left = verify.remaining(conn, checked, at)
    changes = {
        "remaining_rows": left.rows,
        "finished_at": Now(),
        "throttle_reason": "",
        "eta_s": None,
        "eta_low_s": None,
    }
    to = "verified" if left.verified else "failed"
    lifecycle.advance(row, to, actor=WORKER, reason=left.reason, **changes)
    _tell_rollout(row)


def _tell_rollout(row: Backfill) -> None:
    if row.step is not None:
        lifecycle.hint("progress", row.step.plan.rollout_id)


def _is_stale(row: Backfill, checked: definition.Checked) -> bool:
    """It must be what was approved, on the very table it was approved for."""
    objection = digest_inputs.objection_to_backfill(row, declared.identity(checked))
    if not objection:
        return False
    lifecycle.advance(row, "stale", actor=WORKER, reason=f"{objection}: declare it again", finished_at=Now())
    _tell_rollout(row)
    return True


def _kept(row: Backfill, epoch: int) -> Checkpoint:
    """The checkpoint of a target that does not let us keep one: then a crash may repeat the last chunk."""
    kept = row.kept or {}
    as_key = {name: tuple(kept[name]) if kept.get(name) else None for name in ("cursor", "upper")}
    return Checkpoint(row.pk, epoch, as_key["cursor"], as_key["upper"], row.rows_done, row.rows_scanned)


def _try_later(row: Backfill, why: str, *, advice: str = "") -> None:
    """Waits longer after each failure in a row, at most a minute; then a person has to look."""
    attempts = row.attempts + 1
    if attempts >= MOST_FAILURES:
        reason = f"{why} {advice} Tried {attempts} times; resume it when that is mended.".replace("  ", " ")
        to = "failed" if row.status != "running" else "paused"
        lifecycle.advance(row, to, actor=WORKER, reason=reason)
        return
    wait_s = min(60, 2**attempts)
    lifecycle.touch(
        row,
        attempts=attempts,
        not_before=Now() + timedelta(seconds=wait_s),
        reason=f"{why} Try {attempts} of {MOST_FAILURES}; the next in {wait_s} s. {advice}".strip(),
    )


def _fail_or_wait(row: Backfill, failure: Failure) -> None:
    if failure.is_retryable:
        _try_later(row, failure.message, advice=failure.advice)
    elif failure.kind in {"disk_full", "permission", "read_only"} and row.status == "running":
        lifecycle.advance(row, "paused", actor=WORKER, reason=f"{failure.message} {failure.advice}")
    else:
        lifecycle.advance(row, "failed", actor=WORKER, reason=f"{failure.message} {failure.advice}", finished_at=Now())
    _tell_rollout(row)


@dataclass
class _Ticker:
    """Between chunks: watches replicas, listens to people, keeps the lease, and writes progress twice a second."""

    row: Backfill
    owner: str
    epoch: int
    watch: replication.ReplicaWatch
    limits: throttle.Limits
    throttled: str = ""
    at: Checkpoint | None = None
    next_rows: int = 0
    seen: throttle.Observation | None = None
    ticked: float = field(default_factory=time.monotonic)
    sampled: float = 0.0
    renewed: float = field(default_factory=time.monotonic)
    stop: str | None = None

    def observe(self) -> throttle.Observation:
        now = time.monotonic()
        if self.seen is None or now - self.seen.at > 0.2:
            states = self.watch.observe()
            readings = tuple(throttle.ReplicaReading(s.name, s.lag_s, s.lag_bytes, s.state, s.reason) for s in states)
            self.seen = throttle.Observation(readings, self.watch.blocked_sessions(), time.monotonic())
        held_back = throttle.decide(
            self.seen, self.limits, busy_s=0, now=time.monotonic(), was_throttled=bool(self.throttled)
        )
        self.throttled = "" if held_back.go else held_back.reason
        return self.seen

    def on_chunk(self, done: ChunkDone) -> None:
        self.at, self.next_rows = done.checkpoint, done.next_rows
        if self.row.guarantee == "at_least_once":
            self.write(self.at, self.next_rows)  # the only record there is: a crash may repeat this chunk, no more

    def should_stop(self) -> str | None:
        """Asked between chunks and at least every 250 ms while waiting."""
        now = time.monotonic()
        if self.stop is None and now - self.ticked >= TICK_S:
            self._tick(now)
        return self.stop

    def _tick(self, now: float) -> None:
        self.write(self.at, self.next_rows or self.row.chunk_rows)
        lease_s = settings.TIDEGATE_LEASE_S
        if now - self.renewed > lease_s / 6:
            if not Backfill.objects.renew(self.row.pk, owner=self.owner, epoch=self.epoch, lease_s=lease_s):
                self.stop = "another worker has taken over"
                return
            self.renewed = now
        asked = Backfill.objects.values("status", *("max_lag_s", "chunk_ms")).get(pk=self.row.pk)
        if asked["status"] != self.row.status:
            self.stop = f"it is {asked['status']} now"
        elif (asked["max_lag_s"], asked["chunk_ms"]) != (self.limits.max_lag_s, self.limits.chunk_ms):
            self.stop = "its limits have changed"

    def write(self, at: Checkpoint | None, chunk_rows: int) -> None:
        """Progress as of now; also when no chunk was done, so that the reason for waiting is never old."""
        now, row = time.monotonic(), self.row
        speed = estimate.Speed(row.rows_per_s, row.rows_per_s_slow)
        passed = (at.rows_scanned if at else row.rows_scanned) - row.rows_scanned
        speed = speed.after(max(passed, 0), now - self.ticked)
        self.ticked = now
        shown = estimate.progress(
            rows_scanned=at.rows_scanned if at else row.rows_scanned,
            rows_estimated=row.rows_estimated,
            done=bool(at and at.done),
            speed=speed,
        )
        kept = {"cursor": at.cursor, "upper": at.upper} if at and row.guarantee == "at_least_once" else row.kept
        lifecycle.touch(
            row,
            rows_done=at.rows_done if at else row.rows_done,
            rows_scanned=at.rows_scanned if at else row.rows_scanned,
            rows_estimated=shown.rows_estimated,
            rows_per_s=speed.fast,
            rows_per_s_slow=speed.slow,
            eta_low_s=shown.eta_s[0] if shown.eta_s else None,
            eta_s=shown.eta_s[1] if shown.eta_s else None,
            chunk_rows=chunk_rows,
            lag_s=self._worst_lag_s(),
            throttle_reason=self.throttled,
            kept=kept,
        )
        if now - self.sampled >= SAMPLE_S:
            self.sampled = now
            _keep_sample(row, throttled=bool(self.throttled))

    def _worst_lag_s(self) -> float | None:
        readings = self.seen.replicas if self.seen else ()
        known = [reading.lag_s for reading in readings if reading.lag_s is not None]
        return max(known) if known and len(known) == len(readings) else None


def _keep_sample(row: Backfill, *, throttled: bool) -> None:
    row.samples.create(
        rows_done=row.rows_done,
        rows_per_s=row.rows_per_s,
        lag_s=row.lag_s,
        chunk_rows=row.chunk_rows,
        throttled=throttled,
    )
    if row.samples.count() > MOST_SAMPLES:
        every_second = list(row.samples.values_list("pk", flat=True))[1::2]
        Sample.objects.filter(pk__in=every_second).delete()
