"""One Alembic run on one target, as its parent sees it: events out, `go`, `stop` and `cancel` in."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from migrations_app.engines.postgres.address import Address
from migrations_app.engines.runner.interpreter import interpreter
from migrations_app.engines.runner.launch import Launch
from migrations_app.engines.runner.limits import Limits
from migrations_app.engines.runner.process import TERM_GRACE_S, Event, Process
from migrations_app.engines.runner.spawn import LIMITS, common
from migrations_app.engines.runner.workdir import workdir


class Run:
    """A started run. Whoever holds it asks for events until the last one (this also enforces the wall clock), or else
    must `kill` it; from the thread that started it, because the child dies with that thread.

    Kinds of events, with their data, in the order in which they come:
    `refused`    holder: another session has the target's lock; `stopped` follows
    `locked`     backend_pid, database, server_addr, server_port, user, in_recovery, heads, version_table,
                 version_table_schema. The child waits for `go()` or `stop()`; nothing of the revisions has run
    `started`    revision
    `statement`  revision, of (revision | version_table | env), sql, cut, duration_ms, rows, sqlstate
    `applied`    revision, heads, up. Said before the commit: what is true stands in the version table
    and one last: `done`, `failed` (type, message, sqlstate, where, traceback), `stopped` (reason, error?) or `died`
    (reason); all with revision (in flight) and applied, but for `died`.
    """

    def __init__(self, process: Process, resources: ExitStack, wall_s: float) -> None:
        self.process, self._resources = process, resources
        self.last: Event | None = None
        self._wall_s, self._until = wall_s, time.monotonic() + wall_s
        self._cancelled_at: float | None = None

    @property
    def pid(self) -> int:
        return self.process.pid

    def next_event(self, timeout_s: float) -> Event | None:
        """The next event; None when there is none within `timeout_s`, or when the last one has been given."""
        if self.last is not None:
            return None
        self._enforce_wall_clock()
        event = self.process.next_event(min(timeout_s, max(0.05, self._until - time.monotonic())))
        if event is not None and event.last:
            self.last = event
            self.process.wait(TERM_GRACE_S)  # its own way out: engines are disposed, exit handlers run
            self._release()
        return event

    def events(self, tick_s: float = 1.0) -> Iterator[Event]:
        """All events up to the last one."""
        while self.last is None:
            event = self.next_event(tick_s)
            if event is not None:
                yield event

    def go(self) -> None:
        self.process.send({"do": "go"})

    def stop(self, reason: str) -> None:
        """The answer to `locked` when something differs: the run ends before its first statement."""
        self.process.send({"do": "stop", "reason": reason})

    def cancel(self, reason: str = "cancelled") -> None:
        """Ends the statement that runs (57014) where the driver can, and lets no further one start."""
        self._cancelled_at = self._cancelled_at or time.monotonic()
        self.process.send({"do": "cancel", "reason": reason})
        self.stop(reason)  # in case it still waits for the word

    def wait(self) -> Event:
        """Reads on to the last event."""
        for _ in self.events():
            pass
        assert self.last is not None
        return self.last

    def output(self) -> str:
        """What the project printed: capped, without secrets."""
        return self.process.output()

    def kill(self) -> None:
        """Ends the process and all that it started (SIGTERM, 5 s, SIGKILL), and removes its private folder."""
        self.process.kill()
        self._release()

    def _release(self) -> None:
        self.process.close()
        self._resources.close()

    def _enforce_wall_clock(self) -> None:
        now = time.monotonic()
        if now > self._until and self._cancelled_at is None:
            self.cancel(f"the run took longer than the {self._wall_s:.0f} s it was given")
        if now > self._until and self._cancelled_at is not None:
            self._until = now + TERM_GRACE_S  # the time it has to say goodbye
            if now > self._cancelled_at + TERM_GRACE_S:
                self.process.kill_hard()


def start_run(
    launch: Launch,
    bundle_dir: Path,
    address: Address,
    *,
    destination: Sequence[str],
    direction: str = "upgrade",
    lock_key: int,
    application_name: str,
    lock_timeout_ms: int,
    statement_timeout_ms: int = 0,
    lock_wait_s: float = 10.0,
    wall_s: float = 3600.0,
    expected: Sequence[str] | None = None,
    limits: Limits = LIMITS,
) -> Run:
    """Starts one upgrade or downgrade to `destination`; returns at once, the first event is `locked` or a last one.

    `expected`: the revisions of the plan, in order. When Alembic would run any others under the lock, it runs none.
    Raises `Invalid` or `ProjectBroken` when the project's Python cannot be started at all.
    """
    python = interpreter(launch.python)
    settings = {"lock_timeout": f"{lock_timeout_ms}ms", "statement_timeout": f"{statement_timeout_ms}ms"}
    with ExitStack() as resources:
        work = resources.enter_context(
            workdir(launch, bundle_dir, python, address, application_name=application_name, settings=settings)
        )
        spec = {
            "verb": "run",
            **common(launch, bundle_dir, python, work),
            "direction": direction,
            "destination": list(destination),
            "expected": None if expected is None else list(expected),
            "lock_key": lock_key,
            "lock_wait_s": lock_wait_s,
            "settings": {**settings, "application_name": application_name},
            "database": address.database,
            "limits": limits.rlimits(),
        }
        process = Process(launch.python, spec, work.env, work.redactor, limits.output_bytes)
        return Run(process, resources.pop_all(), wall_s)
