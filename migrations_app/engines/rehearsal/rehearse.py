"""Up, down, up again: every revision of a plan is tried on copies of the target's schema, and nothing is believed.

First all revisions run up as one Alembic run, then all down as one, then all up again. Where a downgrade or a second
upgrade fails, the others are tried from fresh copies, so that one broken revision hides no other.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from migrations_app.engines.rehearsal.compare import differences, own
from migrations_app.engines.rehearsal.record import Recorded, record
from migrations_app.engines.rehearsal.scratch import Scratch, clone, remake
from migrations_app.engines.rehearsal.session import Bounds, Direction, Session
from migrations_app.engines.risk.rehearsed import Refusal, Rehearsal, RehearsedRevision
from migrations_app.engines.runner.launch import Launch


@dataclass
class _Work:
    scratch: Scratch
    database: Scratch
    session: Session
    bounds: Bounds
    until: float
    found: dict[str, RehearsedRevision]
    notes: list[str]
    attempts: int = 0

    def run(self, revisions: Sequence[str], direction: Direction) -> Recorded:
        left = max(1.0, self.until - time.monotonic())
        return record(self.session, revisions, direction, min(self.bounds.run_wall_s, left))

    def note(self, revision: str, **what: object) -> None:
        self.found[revision] = replace(self.found[revision], **what)  # type: ignore[arg-type] # fields by their names


def rehearse(
    launch: Launch,
    bundle_dir: Path,
    scratch: Scratch,
    revisions: Sequence[str],
    *,
    bounds: Bounds = Bounds(),  # noqa: B008 - frozen
    downgrades: bool = True,
) -> Rehearsal:
    """Runs `revisions` (in the order of the plan) on clones of the scratch database, whose version table must name the
    heads that the plan starts from; the scratch database itself stays as it is.

    Without `downgrades` only the upgrade is tried. Raises `ProjectBroken` when the project does not get as far as its
    first revision, `Invalid` when its Python does not start, `Unprocessable` when no clone can be made.
    """
    began = time.monotonic()
    empty = {each: RehearsedRevision(each) for each in revisions}
    notes: list[str] = []
    # The database keeps its name through all attempts: the project's process is told of it once.
    with clone(scratch) as database, Session(launch, bundle_dir, database.address, bounds) as session:
        work = _Work(scratch, database, session, bounds, began + bounds.wall_s, empty, notes)
        if revisions:
            _judge(work, tuple(revisions), downgrades)
    return Rehearsal(
        revisions=tuple(empty.values()),
        server_version=scratch.server_version,
        target_version=scratch.target_version,
        fingerprint=scratch.fingerprint,
        notes=(*scratch.notes, *notes),
        duration_s=round(time.monotonic() - began, 3),
    )


def _judge(work: _Work, revisions: tuple[str, ...], downgrades: bool) -> None:
    up = work.run(revisions, "upgrade")
    _upgraded(work, revisions, up)
    passed = tuple(each for each in revisions if each in up.states)
    if not downgrades or not passed:
        return
    waiting = deque(_there_and_back(work, up, passed, 0) if passed == revisions else [(0, len(passed))])
    while waiting:
        low, high = waiting.popleft()
        work.attempts += 1
        if work.attempts > work.bounds.attempts or time.monotonic() > work.until:
            left = ", ".join(each for each in passed if not work.found[each].upgraded_again)
            work.notes.append(f"The time for this rehearsal is used up: not tried down and up again were {left}.")
            return
        remake(work.database, work.scratch)
        up = work.run(passed[:high], "upgrade")
        if up.failed is None:
            waiting.extend(_there_and_back(work, up, passed[:high], low))
        else:  # it passed a moment ago
            work.notes.append(f"A second upgrade from the same start failed at {up.failed}: {up.error}")


def _upgraded(work: _Work, revisions: Sequence[str], up: Recorded) -> None:
    for each in revisions:
        read = tuple(sorted(up.read[each]))
        error = up.error if each == up.failed else None
        why = _why_not(each, up, () if work.scratch.has_rows else read, error)
        statements = tuple(up.statements[each])
        work.note(each, up=statements, up_error=error, read_tables=read, resolved=not why, why_not=why)


def _why_not(revision: str, up: Recorded, read: Sequence[str], error: Refusal | None) -> str:
    if error is not None:
        return f"its upgrade failed: {error}"
    if revision not in up.states:
        return f"it was not reached: the upgrade of {up.failed} before it failed"
    if read:
        return f"it reads rows of {', '.join(read)}, and the copy has none: with rows it may run other statements"
    return "; ".join(dict.fromkeys(up.unknown[revision]))


def _there_and_back(work: _Work, up: Recorded, revisions: Sequence[str], low: int) -> list[tuple[int, int]]:
    """Takes the revisions from `low` on down and up again. Gives the ranges that have to be tried on fresh copies."""
    high = len(revisions)
    down = work.run(revisions[low:][::-1], "downgrade")
    before = {each: up.states[revisions[at - 1]] if at else up.base for at, each in enumerate(revisions)}
    for at in range(high - 1, low - 1, -1):
        each = revisions[at]
        if each not in down.states:
            break
        last = down.states[revisions[at + 1]] if at + 1 < high else up.states[each]
        already = differences(up.states[each], last)
        found = own(differences(before[each], down.states[each]), already)
        work.note(each, down=tuple(down.statements[each]), differences=found, downgrade_tried=True)
    if down.failed is None:
        return _again(work, up, down, revisions, low)
    at = revisions.index(down.failed)
    if at == high - 1:  # nobody else has been down before it
        statements = tuple(down.statements[down.failed])
        work.note(down.failed, down=statements, down_error=down.error, downgrade_tried=True)
        return [(low, at)] if at > low else []
    return [(at + 1, high), (low, at + 1)]


def _again(work: _Work, up: Recorded, down: Recorded, revisions: Sequence[str], low: int) -> list[tuple[int, int]]:
    again = work.run(revisions[low:], "upgrade")
    start = up.states[revisions[low - 1]] if low else up.base
    already = set(differences(start, down.states[revisions[low]]))
    for each in revisions[low:]:
        if each not in again.states:
            break
        found = differences(up.states[each], again.states[each])
        left = already - set(work.found[each].differences)
        work.note(each, again_differences=own(found, left), upgraded_again=True)
        already = set(found)
    if again.failed is None:
        return []
    work.note(again.failed, again_error=again.error, upgraded_again=True)
    at = revisions.index(again.failed)
    return [(at + 1, len(revisions))] if at + 1 < len(revisions) else []
