"""One target's part of a running rollout: contiguous revisions as one Alembic run, in a process that we watch.

The truth is the target's: what is applied is read from its version table, before (an earlier worker may have died
after its commit) and after (whatever the run said of itself).
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import psycopg
from django.conf import settings
from django.db.models import F
from django.db.models.functions import Now

from migrations_app import lifecycle
from migrations_app.engines import history
from migrations_app.engines.postgres import catalog, locks
from migrations_app.engines.postgres.connect import connect
from migrations_app.engines.postgres.fingerprint import fingerprint
from migrations_app.engines.postgres.sqlstate import classify
from migrations_app.engines.runner.launch import Launch
from migrations_app.engines.runner.process import Event
from migrations_app.engines.runner.runs import Run, start_run
from migrations_app.errors import TidegateError
from migrations_app.models import Actor, Backfill, LogLine, Rollout, Step, Target, TargetPlan, digest_inputs
from migrations_app.models.secrets import address_of
from migrations_app.models.status import StepStatus

log = logging.getLogger(__name__)
WORKER = Actor.system("worker")
RENEW_S = 5.0
LOOK_S = 0.5  # how often a run is looked at: who blocks it, and whether somebody asked to cancel


def run(*, plan_id: str, owner: str) -> str | None:
    """Works on the plan as far as it goes now. Returns the rollout's id, or None when there was nothing to do here.

    Safe to repeat: the lease keeps a second worker out, and the target says what is still to do.
    """
    epoch = TargetPlan.objects.claim(plan_id, owner=owner, lease_s=settings.TIDEGATE_LEASE_S)
    if epoch is None:
        return None
    plan = TargetPlan.objects.select_related("rollout__project", "rollout__bundle", "target").get(pk=plan_id)
    try:
        if plan.rollout.status != "running" or plan.rollout.asked:
            return None
        _Work(plan, owner, epoch).go()
    finally:
        TargetPlan.objects.release(plan_id, owner=owner, epoch=epoch)
    return str(plan.rollout_id)


@dataclass
class _Work:
    """What one worker knows while it works on a plan."""

    plan: TargetPlan
    owner: str
    epoch: int
    backend_pid: int | None = None
    renewed: float = field(default_factory=time.monotonic)
    looked: float = 0.0
    objection: str = ""
    cancelled: bool = False
    steps: dict[str, Step] = field(default_factory=dict)

    def go(self) -> None:
        step = self.plan.next_step()
        if step is None or step.kind != "revision":
            return
        try:
            self._revisions()
        except psycopg.Error as error:
            self._later(classify(error).advice)
        except TidegateError as error:
            self._later(error.detail)
        except Exception:  # our own fault: counted and shown, instead of tried for ever in silence
            log.exception("a run failed", extra={"plan": self.plan.pk})
            self._later("Something failed inside Tidegate; the worker's log says what")

    def _beside(self) -> psycopg.Connection:
        """A session of our own on the target, to look from: never the one that migrates."""
        return connect(address_of(self.plan.target), application_name="tidegate:watch", read_write=True)

    def _revisions(self) -> None:
        """Settles what an earlier worker left, then runs what is left of the segment."""
        with self._beside() as conn:
            self._settle_before(conn)
            segment = self._segment()
            if not segment:
                return
            self.steps = {step.revision.revision: step for step in segment}
            runs = self._start(segment)
            try:
                last = self._follow(runs, conn)
            finally:
                runs.kill()
        with self._beside() as conn:  # the one from before may have broken in the hours between
            locks.end_sessions(conn, self._name())
            self._conclude(conn, last, runs.output())

    def _settle_before(self, conn: psycopg.Connection) -> None:
        for session in locks.our_sessions(conn, f"tidegate:{self.plan.pk}:"):
            locks.end_sessions(conn, session.application_name)
        # Only a run of ours that was under way may have left something applied; else it was somebody beside us, and
        # the look under the lock will say so.
        was_under_way = self.plan.steps.filter(kind="revision", status__in=("running", "executed")).exists()
        if was_under_way and self._settle(conn, interrupted="the worker before was lost"):
            self._keep_place(conn)

    def _segment(self) -> list[Step]:
        """The revisions up to the next backfill: they run as one Alembic run (its ENUM memo lives in one context)."""
        segment = []
        for step in self.plan.steps.exclude(status=StepStatus.VERIFIED).select_related("revision").order_by("position"):
            if step.kind != "revision" or step.status != StepStatus.APPROVED or Backfill.objects.soaks_until(step):
                break
            segment.append(step)
        return segment

    def _name(self) -> str:
        return f"tidegate:{self.plan.pk}:{self.epoch}"

    def _start(self, segment: Sequence[Step]) -> Run:
        plan, rollout = self.plan, self.plan.rollout
        limits = rollout.parameters["limits"][plan.target.slug]
        is_up = segment[0].direction == "up"
        names = [step.revision.revision for step in segment]
        return start_run(
            Launch.from_json(rollout.project.launch),
            rollout.bundle.unpack(),
            address_of(plan.target),
            destination=names if is_up else _below(segment[-1]),
            expected=names,
            direction="upgrade" if is_up else "downgrade",
            lock_key=locks.lock_key(plan.system_identifier, plan.database_oid),
            application_name=self._name(),
            lock_timeout_ms=limits["lock_timeout_ms"],
            statement_timeout_ms=limits["statement_timeout_ms"],
            wall_s=settings.TIDEGATE_RUN_WALL_S,
        )

    # --- while it runs ---

    def _follow(self, runs: Run, conn: psycopg.Connection) -> Event:
        """Reads the run's events until its last one, keeps the lease and listens to people."""
        while True:
            event = runs.next_event(LOOK_S)
            self._keep_lease(runs)
            if event is not None and event.last:
                return event
            if event is not None:
                self._take(runs, conn, event)
            if event is None or time.monotonic() - self.looked > LOOK_S:
                self._look(runs, conn)

    def _take(self, runs: Run, conn: psycopg.Connection, event: Event) -> None:
        data = event.data
        if event.kind == "locked":
            self.backend_pid = data["backend_pid"]
            self.objection = self._objection_under_lock(conn, data)
            if self.objection:
                runs.stop(self.objection)
            else:
                # Before the word: once it is given, a commit may be there that nobody lived to report.
                first = next(iter(self.steps.values()))
                self._move(first, "running", "Alembic runs it", started_at=Now())
                runs.go()
        elif event.kind == "started" and self.steps[data["revision"]].status == StepStatus.APPROVED:
            self._move(self.steps[data["revision"]], "running", "Alembic runs it", started_at=Now())
        elif event.kind == "statement" and data["revision"] in self.steps:
            self._log(data["revision"], "statement", data["sql"], data["duration_ms"], data["sqlstate"] or "")
        elif event.kind == "applied":
            self._log(data["revision"], "note", "applied; its transaction may still be open")

    def _keep_lease(self, runs: Run) -> None:
        if time.monotonic() - self.renewed < RENEW_S:
            return
        lease_s = settings.TIDEGATE_LEASE_S
        if not TargetPlan.objects.renew(self.plan.pk, owner=self.owner, epoch=self.epoch, lease_s=lease_s):
            runs.kill()
            raise TidegateError("another worker has taken this target over; this one stops")
        self.renewed = time.monotonic()

    def _look(self, runs: Run, conn: psycopg.Connection) -> None:
        """Was a cancel asked, and who keeps our statement waiting?"""
        self.looked = time.monotonic()
        asked, expected = Rollout.objects.values_list("asked", "status").get(pk=self.plan.rollout_id)
        if (asked == "cancel" or expected != "running") and not self.cancelled:
            self.cancelled = True
            runs.cancel("cancelled by an operator")
        step = next((step for step in self.steps.values() if step.status == StepStatus.RUNNING), None)
        if step is None or self.backend_pid is None:
            return
        try:
            found = locks.blockers(conn, self.backend_pid)
        except psycopg.Error:
            return  # our window is gone, which is no reason to end a run that goes well
        reason = "Alembic runs it" if not found else f"waits for a lock: {'; '.join(map(_blocker, found[:3]))}"
        if reason != step.reason:
            lifecycle.touch(step, reason=reason)

    def _objection_under_lock(self, conn: psycopg.Connection, told: Any) -> str:
        """Why not a single statement may run, or "". The lock is held: what is true now stays true until the end."""
        plan = self.plan
        key = locks.lock_key(plan.system_identifier, plan.database_oid)
        found = locks.holder(conn, key)
        if found is None or found.pid != told["backend_pid"]:
            return "env.py connects to another database than the registered target"
        identity = catalog.identity(conn)
        if (identity.system_identifier, identity.database_oid) != (plan.system_identifier, plan.database_oid):
            return "another database answers at the target's address than was planned for"
        if sorted(told["heads"]) != sorted(plan.expected_heads):
            at, planned = ", ".join(told["heads"]) or "nothing", ", ".join(plan.expected_heads) or "nothing"
            return f"the target is at {at}, the plan was made from {planned}: plan it again"
        if fingerprint(conn).sha256 != plan.expected_fingerprint:
            return "the target's schema has changed since the plan was made: plan it again"
        return digest_inputs.objection(plan.rollout)

    # --- afterwards ---

    def _settle(self, conn: psycopg.Connection, *, interrupted: str) -> bool:
        """Brings the steps in line with the version table. True when something was found applied."""
        told = self.plan.rollout.bundle.interpreter
        heads = catalog.read_heads(conn, version_table=told["version_table"], schema=told["version_table_schema"])
        done = history.applied(self.plan.rollout.bundle.parents(), heads or ())
        open_steps = self.plan.steps.filter(kind="revision", status__in=("approved", "running", "executed"))
        invalid, changed = catalog.invalid_indexes(conn), False
        for step in open_steps.select_related("revision").order_by("position"):
            if (step.revision.revision in done) == (step.direction == "up"):
                self._verify(step, invalid)
                changed = True
            elif step.status == StepStatus.RUNNING:
                self._move(step, "approved", f"{interrupted}; the target shows nothing of it")
        return changed

    def _verify(self, step: Step, invalid: Sequence[str]) -> None:
        if step.status != StepStatus.EXECUTED:
            self._move(step, "executed", "the target's version table shows it applied")
        broken = [name for name in invalid if name in " ".join(step.statements)]
        if broken:
            self._move(
                step,
                "inconsistent",
                f"index {', '.join(broken)} is INVALID: drop it CONCURRENTLY and build it again, then retry",
                finished_at=Now(),
            )
        else:
            self._move(step, "verified", "the version table and the catalog agree", finished_at=Now())

    def _keep_place(self, conn: psycopg.Connection) -> None:
        """What our own run left is what the next one has to find."""
        told = self.plan.rollout.bundle.interpreter
        heads = catalog.read_heads(conn, version_table=told["version_table"], schema=told["version_table_schema"])
        self.plan.expected_heads = list(heads or ())
        self.plan.expected_fingerprint = fingerprint(conn).sha256
        self.plan.save(update_fields=["expected_heads", "expected_fingerprint"])
        standing = history.standing(self.plan.rollout.bundle.parents(), heads, has_tables=True)
        Target.objects.filter(pk=self.plan.target_id).update(
            fingerprint=self.plan.expected_fingerprint,
            current=self.plan.expected_heads,
            schema_state=standing.state,
            schema_reason=standing.reason,
            pending=standing.pending,
            version=F("version") + 1,
        )

    def _conclude(self, conn: psycopg.Connection, last: Event, output: str) -> None:
        """After the run, whatever it said: the target decides what is done, its last word what becomes of the rest."""
        if output.strip():
            self._log(next(iter(self.steps)), "output", output[-20_000:])
        if self.objection:
            self._stale()  # nothing was run, so what the version table shows is none of our doing
            return
        state = (last.data.get("sqlstate") or "") if last.kind == "failed" else ""
        if self._settle(conn, interrupted="the run ended without it"):
            self._keep_place(conn)
            TargetPlan.objects.filter(pk=self.plan.pk).update(attempts=0, not_before=None)
        for step in self.steps.values():
            step.refresh_from_db()
        open_ones = [step for step in self.steps.values() if step.status == StepStatus.APPROVED]
        if not open_ones:
            return
        if last.kind == "stopped" or self.cancelled:
            self._stopped(last)
        elif state and classify(state).kind == "lock_timeout":
            self._later(f"revision {last.data['revision']} could not have its lock in time", is_lock=True)
        else:
            self._failed(open_ones, last)

    def _stale(self) -> None:
        rollout = Rollout.objects.get(pk=self.plan.rollout_id)
        reason = f"{self.plan.target}: {self.objection}. Nothing was run."
        if lifecycle.advance(rollout, "stale", actor=WORKER, reason=reason, finished_at=Now()):
            for step in Step.objects.filter(plan__rollout=rollout, status__in=("approved", "failed")):
                lifecycle.advance(step, "cancelled", actor=WORKER, reason=reason, finished_at=Now())

    def _stopped(self, last: Event) -> None:
        if not self.cancelled:
            self._later(last.data.get("reason") or "the run was stopped", is_lock=True)

    def _failed(self, open_ones: Sequence[Step], last: Event) -> None:
        """The revision in flight failed; those behind it were not reached and wait for a retry."""
        in_flight = last.data.get("revision") or open_ones[0].revision.revision
        step = self.steps.get(in_flight, open_ones[0])
        if step.status == StepStatus.APPROVED:
            self._move(step, "running", "Alembic ran it", started_at=step.started_at or Now())
        self._move(step, "failed", _why(last), finished_at=Now())

    def _later(self, why: str, *, is_lock: bool = False) -> None:
        """Waits with jitter and tries again; too many tries are a failure that a person has to see."""
        plan = self.plan
        tries = int(plan.rollout.parameters["limits"][plan.target.slug]["lock_tries"])
        attempts = plan.attempts + 1
        step = plan.next_step()
        if attempts >= tries and step is not None and step.status == StepStatus.APPROVED:
            self._move(step, "running", "tried for the last time", started_at=Now())
            self._move(step, "failed", f"{why}; tried {attempts} times. Nothing of it was applied.", finished_at=Now())
            return
        wait_s = random.uniform(0.5, 1.0) * min(30.0, 2.0 ** min(attempts, 5))  # noqa: S311 - jitter, not a secret
        until = Now() + timedelta(seconds=wait_s)
        TargetPlan.objects.filter(pk=plan.pk).update(attempts=attempts, not_before=until)
        if step is not None:
            kind = "lock" if is_lock else "connection"
            lifecycle.touch(step, reason=f"{why}. Try {attempts} of {tries} ({kind}); the next in {wait_s:.0f} s")

    def _move(self, step: Step, to: str, reason: str, **changes: Any) -> None:
        if not lifecycle.advance(step, to, actor=WORKER, reason=reason, **changes):
            step.refresh_from_db()

    def _log(self, revision: str, kind: str, text: str, duration_ms: float | None = None, sqlstate: str = "") -> None:
        LogLine.objects.create(
            step=self.steps[revision], kind=kind, text=text, duration_ms=duration_ms, sqlstate=sqlstate
        )


def _below(step: Step) -> list[str]:
    """Where Alembic has to go down to, so that this step is the last one undone."""
    return step.revision.down_revisions[:1] or ["base"]


def _blocker(found: locks.Blocker) -> str:
    who = found.application_name or "no name"
    return f"pid {found.pid} ({who}, {found.state}) for {found.age_s:.0f} s: {found.query[:80]}"


def _why(last: Event) -> str:
    data = last.data
    if last.kind == "died":
        return str(data["reason"])
    if last.kind == "done":
        return "Alembic says that it is done, but the version table does not show this revision"
    where = f" at {data['where']}" if data.get("where") else ""
    state = f" [{data['sqlstate']}]" if data.get("sqlstate") else ""
    advice = f" {classify(data['sqlstate']).advice}" if data.get("sqlstate") else ""
    return f"{data['type']}{state}: {data['message']}{where}.{advice}"
