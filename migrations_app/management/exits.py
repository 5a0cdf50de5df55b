"""Exit codes: the same numbers as the pipeline client's, so that a script reads both alike."""

from __future__ import annotations

from enum import IntEnum

from migrations_app.errors import TidegateError
from migrations_app.models import Backfill, Rehearsal, Rollout


class Exit(IntEnum):
    """What a command's end means."""

    DONE = 0
    FAILED = 1  # on the target
    WAITING = 2  # for approval; with --detailed-exitcode also: changes are pending
    REJECTED = 3  # or cancelled, or expired; for `audit verify`: the chain is broken
    USAGE = 4  # wrong arguments, or no such thing
    AUTH = 5
    CONFLICT = 6  # or a stale plan
    TIMED_OUT = 7  # only the waiting ended: nothing was stopped
    UNREACHABLE = 8  # Tidegate's own database


BY_STATUS = {401: Exit.AUTH, 403: Exit.AUTH, 409: Exit.CONFLICT, 500: Exit.FAILED}
BY_CODE = {"target_unreachable": Exit.FAILED}
ENDS = {
    "succeeded": Exit.DONE,
    "done": Exit.DONE,
    "verified": Exit.DONE,
    "failed": Exit.FAILED,
    "rejected": Exit.REJECTED,
    "cancelled": Exit.REJECTED,
    "stale": Exit.CONFLICT,
    "awaiting_approval": Exit.WAITING,
}


def of_error(error: TidegateError) -> Exit:
    """What a refusal ends a command with; one that names no better code is the input's fault."""
    return BY_CODE.get(error.code) or BY_STATUS.get(error.status, Exit.USAGE)


def of_row(row: Rollout | Backfill | Rehearsal, *, waited: bool = False) -> Exit:
    """What its status ends a command with. Still on its way is no failure, unless its end was waited for."""
    if isinstance(row, Rehearsal):
        return ENDS.get(row.status, Exit.TIMED_OUT if waited else Exit.DONE)
    if row.status == "stale" and row.expires_at and row.status_at >= row.expires_at and not row.started_at:
        return Exit.REJECTED  # its approval ran out before it started
    return ENDS.get(row.status, Exit.TIMED_OUT if waited else Exit.DONE)
