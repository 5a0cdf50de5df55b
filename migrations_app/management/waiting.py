"""Following a rollout, a backfill or a rehearsal to its end by looking at its row."""

from __future__ import annotations

import time
from collections.abc import Callable

from migrations_app.management import exits
from migrations_app.management.exits import Exit
from migrations_app.models import Backfill, Rehearsal, Rollout

POLL_S = 0.5
sleep = time.sleep


def follow(row: Rollout | Backfill | Rehearsal, *, wait_s: float, tell: Callable[[str], None], again: str = "") -> Exit:
    """Looks until the row is final or `wait_s` is over, tells each change, and returns the exit code.

    `again` is the command that waits on; else the `status` of the row's kind.
    """
    deadline, told = time.monotonic() + wait_s, ""
    while True:
        row.refresh_from_db()
        line = f"{row.pk} is {row.status.replace('_', ' ')}: {row.reason}"
        if line != told:
            tell(told := line)
        if row.is_final or time.monotonic() >= deadline:
            break
        sleep(POLL_S)
    if wait_s and not row.is_final:
        tell(
            f"Still {row.status.replace('_', ' ')} after {wait_s:g} s. Only the waiting has ended, nothing was stopped."
        )
        tell(f"Go on with: {again or f'manage.py {row._meta.model_name} status {row.pk}'} --wait {wait_s:g}")
    return exits.of_row(row, waited=bool(wait_s))


def planned(row: Rollout, *, wait_s: float, tell: Callable[[str], None]) -> None:
    """Looks until its plan is complete, which takes until its rehearsals are done, or `wait_s` is over."""
    deadline = time.monotonic() + wait_s
    if row.status == "planning":
        tell(f"{row.pk} {row.reason}")
    while row.status == "planning" and time.monotonic() < deadline:
        sleep(POLL_S)
        row.refresh_from_db()
