"""One verb, one process: Alembic keeps globals, so nothing is ever done twice in here."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from .history import history, locate, plan
from .offline import offline_sql
from .project import Project, failure
from .run import Run, run
from .wire import Wire, confine

READS: dict[str, Callable[[Project], Any]] = {
    "history": history,
    "locate": locate,
    "plan": plan,
    "sql": offline_sql,
}


def main(inbox: int, outbox: int) -> int:
    driver = os.environ.pop("RUNNER_FORKS_FOR", None)
    if driver is not None:
        from .forks import serve

        return serve(inbox, outbox, answer, driver)
    return answer(inbox, outbox)


def answer(inbox: int, outbox: int) -> int:
    """Always ends with one line of kind `done`, `failed` or (from a run) `stopped`; the exit code repeats it."""
    wire = Wire(inbox, outbox)
    spec = wire.spec()
    confine(spec["limits"])
    if spec["verb"] == "run":
        return run(watched_run(wire, spec) if spec.get("rehearsal") else Run(wire, spec))
    project = None
    try:
        project = Project(spec)
        answered = project.work(lambda: READS[spec["verb"]](project))
    except (Exception, SystemExit) as exc:  # noqa: BLE001 - foreign code: whatever it raises is the answer
        wire.send("failed", **failure(project, exc))
        return 1
    wire.send("done", answer=answered)
    return 0


def watched_run(wire: Wire, spec: dict[str, Any]) -> Run:
    from .rehearsing import Rehearsing  # what a real run does not need it does not load

    return Rehearsing(wire, spec)
