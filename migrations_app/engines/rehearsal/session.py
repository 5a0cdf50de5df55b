"""One agent process of a project that makes run after run on the same scratch database."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from migrations_app.engines.postgres.address import Address
from migrations_app.engines.postgres.fingerprint_sql import CATALOG_AND_BESIDE
from migrations_app.engines.runner.interpreter import interpreter
from migrations_app.engines.runner.launch import Launch
from migrations_app.engines.runner.process import TERM_GRACE_S, Event, Process
from migrations_app.engines.runner.spawn import LIMITS, common
from migrations_app.engines.runner.workdir import workdir

Direction = Literal["upgrade", "downgrade"]
LOCK_KEY = 7_264_617_265_686_561  # any: nobody else is in a scratch database
LINES = CATALOG_AND_BESIDE.decode().replace("%%", "%")  # the agent fills the one parameter in
NAME = "tidegate:rehearsal"
GRACE_S = 1.0  # to end by itself; there is nothing to lose in a scratch database


@dataclass(frozen=True)
class Bounds:
    """How long a rehearsal may take: all of it, each of its runs, each statement, each wait for a lock. `attempts`
    bounds how often it begins anew from a fresh copy because a downgrade or a second upgrade has failed."""

    wall_s: float = 900.0
    run_wall_s: float = 300.0
    statement_timeout_ms: int = 60_000
    lock_timeout_ms: int = 5_000
    attempts: int = 12


class Session:
    """To be used in a `with`, and from one thread only: the kernel ends the process with the thread that started it.

    Entering raises `Invalid` or `ProjectBroken` when the project's Python cannot be started at all.
    """

    def __init__(self, launch: Launch, bundle_dir: Path, address: Address, bounds: Bounds) -> None:
        self.launch, self.bundle_dir, self.address = launch, bundle_dir, address
        self.settings = {
            "lock_timeout": f"{bounds.lock_timeout_ms}ms",
            "statement_timeout": f"{bounds.statement_timeout_ms}ms",
        }
        self.wall_s = 0.0
        self.is_overdue = False
        self._process: Process | None = None
        self._resources = ExitStack()

    def __enter__(self) -> Session:
        python = interpreter(self.launch.python)
        folder = workdir(
            self.launch, self.bundle_dir, python, self.address, application_name=NAME, settings=self.settings
        )
        self._work = self._resources.enter_context(folder)
        self._driver = self.launch.url.driver or python.driver
        self._common = common(self.launch, self.bundle_dir, python, self._work)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()
        self._resources.close()

    def run(self, revisions: Sequence[str], direction: Direction, wall_s: float) -> Iterator[Event]:
        """The events of one run of these revisions, up to its last one: see `runner/runs.py` and, for what only a
        rehearsal tells, `runner/agent/rehearsing.py`. Each `rewrite` must be answered."""
        process = self._sent(self._spec(revisions, direction))
        process.send({"do": "go"})
        self.wall_s, self.is_overdue = wall_s, False
        until = time.monotonic() + wall_s
        event: Event | None = None
        while event is None or not event.last:
            event = process.next_event(max(0.05, until - time.monotonic()))
            if event is None or time.monotonic() > until:
                until = self._hurry(process)
            elif event.kind == "locked":
                until = time.monotonic() + wall_s  # the time to get there was bounded too, but is not the revisions'
            if event is not None and event.kind == "ended":
                yield Event(
                    "died", {"reason": f"The process ended with status {event.data['status']}, without a word."}
                )
                return
            if event is not None:
                yield event
        self._settle(process)

    def answer(self, sql: str) -> None:
        """The answer to `rewrite`."""
        if self._process is not None:
            self._process.send({"do": "rewritten", "sql": sql})

    def output(self) -> str:
        """What the project printed: capped, without secrets."""
        return self._process.output() if self._process else ""

    def _sent(self, spec: Mapping[str, Any]) -> Process:
        if self._process is None:
            env = {**self._work.env, "RUNNER_FORKS_FOR": self._driver}
            self._process = Process(self.launch.python, spec, env, self._work.redactor, LIMITS.output_bytes)
        else:
            self._process.send(spec)
        return self._process

    def _spec(self, revisions: Sequence[str], direction: Direction) -> dict[str, Any]:
        return {
            "verb": "run",
            **self._common,
            "direction": direction,
            "destination": list(revisions),
            "expected": list(revisions),
            "lock_key": LOCK_KEY,
            "lock_wait_s": 10.0,
            "settings": {**self.settings, "application_name": NAME},
            "database": self.address.database,
            "rehearsal": {"catalog": LINES, "port": self.address.port},
            "limits": LIMITS.rlimits(),
        }

    def _hurry(self, process: Process) -> float:
        """First it is asked to end (the driver cancels its statement), then it is killed. Gives the next deadline."""
        if self.is_overdue:
            process.kill_hard()
        else:
            self.is_overdue = True
            for word in ("cancel", "stop"):
                process.send({"do": word, "reason": f"it took longer than the {self.wall_s:.0f} s it was given"})
        return time.monotonic() + GRACE_S

    def _settle(self, process: Process) -> None:
        """Waits until the fork is gone and the process is ready for the next; one that was cancelled may have unread
        words in its pipe, and is not used again."""
        event = None if self.is_overdue else process.next_event(TERM_GRACE_S)
        if event is None or event.kind != "ended":
            self._end()

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill_hard()
            self._process.kill()
            self._process = None
