"""Whether the next chunk may start, as a pure decision: what was observed, the limits, and a sentence that says why.

Unknown means stop: a replica that is missing, unreachable, paused or foreign, a lag nobody could read, and readings
that are too old all count as over the limit.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from migrations_app.errors import FieldError, Invalid

STALE_AFTER_S = 2.0
RESUME_BELOW = 0.8  # of the limit: without a gap the decision would flutter at the limit
LOOK_AGAIN_S = 0.25


@dataclass(frozen=True)
class ReplicaReading:
    """One *expected* replica: lag in seconds and bytes (None: could not be read), `state` "streaming" when healthy."""

    name: str
    lag_s: float | None
    lag_bytes: int | None
    state: str
    reason: str = ""


@dataclass(frozen=True)
class Observation:
    """What was seen at `at` (monotonic seconds, the clock that `decide` gets): every expected replica, and how many
    sessions waited for locks of this backfill."""

    replicas: tuple[ReplicaReading, ...]
    blocked_sessions: int
    at: float


@dataclass(frozen=True)
class Limits:
    """What a backfill may cost others. Invalid, field by field, when a value cannot work.

    `chunk_ms`: aimed length of a chunk, which is also how long a write to one of its rows may wait. `duty`:
    share of the time that chunks may run (0.5 = rest as long as you work).
    """

    max_lag_s: float = 2.0
    max_lag_bytes: int | None = 64 << 20
    chunk_ms: int = 100
    duty: float = 0.5
    max_blocked_sessions: int = 0
    lock_timeout_ms: int = 1_000
    statement_timeout_ms: int = 30_000
    tries: int = 8

    def __post_init__(self) -> None:
        ranges = {
            "max_lag_s": (self.max_lag_s, 0.05, 3600),
            "max_lag_bytes": (self.max_lag_bytes, 1, math.inf),
            "chunk_ms": (self.chunk_ms, 5, 10_000),
            "duty": (self.duty, 0.01, 1),
            "max_blocked_sessions": (self.max_blocked_sessions, 0, math.inf),
            "lock_timeout_ms": (self.lock_timeout_ms, 1, 10_000),
            "statement_timeout_ms": (self.statement_timeout_ms, 100, 600_000),
            "tries": (self.tries, 1, 100),
        }
        errors = [
            FieldError(f"/{name}", f"{name} is {value:g}; it must be from {least:g} to {most:g}.")
            for name, (value, least, most) in ranges.items()
            if value is not None and not least <= value <= most
        ]
        if errors:
            raise Invalid(" ".join(error.detail for error in errors), errors=errors)


@dataclass(frozen=True)
class Decision:
    """`go`: start the next chunk after `rest_s` seconds. Not `go`: look again after `rest_s`. `reason` is shown."""

    go: bool
    rest_s: float
    reason: str


def decide(
    observation: Observation | None, limits: Limits, *, busy_s: float, now: float, was_throttled: bool = False
) -> Decision:
    """Decide about the next chunk; `busy_s` is how long the last took, `now` is on the clock of `observation.at`."""
    if observation is None:
        return _stop("nothing is known about the replicas yet")
    if (age_s := now - observation.at) > STALE_AFTER_S:
        return _stop(f"the last look at the replicas is {age_s:.1f} s old, limit {STALE_AFTER_S:.1f} s")
    factor = RESUME_BELOW if was_throttled else 1.0
    if reasons := [why for replica in observation.replicas for why in _objections(replica, limits, factor)]:
        return _stop("; ".join(reasons))
    if (blocked := observation.blocked_sessions) > limits.max_blocked_sessions:
        return _stop(f"{blocked} sessions wait for locks of this backfill, limit {limits.max_blocked_sessions}")
    rest_s = busy_s * (1 - limits.duty) / limits.duty
    return Decision(True, rest_s, _calm(observation, limits))


def _objections(replica: ReplicaReading, limits: Limits, factor: float) -> Iterator[str]:
    """Each reason why this replica forbids the next chunk; limits are taken times `factor`."""
    name, lag_s, lag_bytes = f"replica {replica.name}", replica.lag_s, replica.lag_bytes
    because = f": {replica.reason.rstrip('.')}" if replica.reason else ""
    if replica.state != "streaming":
        unknown = "; unknown lag counts as over the limit" if lag_s is None else ""
        yield f"{name} is {replica.state.replace('_', ' ')}{because}{unknown}"
        return
    if lag_s is None or not math.isfinite(lag_s):
        if lag_bytes != 0:  # nothing outstanding is proof enough: the view's replay_lag is NULL on an idle primary
            yield f"the lag of {name} could not be read{because}; unknown means stop"
    elif lag_s > (below := limits.max_lag_s * factor):
        yield f"{name} lags {lag_s:.1f} s, limit {limits.max_lag_s:.1f} s{_gap(factor, f'{below:.1f} s')}"
    if limits.max_lag_bytes is None:
        return
    if lag_bytes is None:
        yield f"the bytes that {name} is behind could not be read; unknown means stop"
    elif lag_bytes > (room := limits.max_lag_bytes * factor):
        yield f"{name} is {_mib(lag_bytes)} behind, limit {_mib(limits.max_lag_bytes)}{_gap(factor, _mib(room))}"


def _gap(factor: float, resume: str) -> str:
    return f" (resumes at {resume})" if factor < 1 else ""


def _mib(size: float) -> str:
    return f"{size / (1 << 20):.1f} MiB"


def _stop(reason: str) -> Decision:
    return Decision(False, LOOK_AGAIN_S, reason)


def _calm(observation: Observation, limits: Limits) -> str:
    if not observation.replicas:
        return "no replicas are expected on this target, so no lag is watched"
    worst = max(observation.replicas, key=lambda replica: replica.lag_s or 0.0)
    return f"replica {worst.name} lags {worst.lag_s or 0.0:.1f} s, limit {limits.max_lag_s:.1f} s"
