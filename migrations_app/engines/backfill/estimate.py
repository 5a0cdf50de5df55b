"""How far, how fast, how long still: numbers a person can believe, pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

FAST_S, SLOW_S = 15.0, 120.0  # time constants of the two averages whose gap is the width of the estimate
SHOWN_FROM = 0.01  # below 1 % any remaining time would be a guess
UNFINISHED = 0.99  # an estimate that was too low must not show 100 % before the end


@dataclass(frozen=True)
class Progress:
    """`eta_s` is (low, high) seconds, None while nothing honest can be said; `rows_estimated` is corrected upwards."""

    fraction: float
    rows_estimated: int
    rows_per_s: float
    eta_s: tuple[float, float] | None


@dataclass(frozen=True)
class Speed:
    """Rows a second, as a quick and a slow moving average over wall time, rests and throttling included."""

    fast: float | None = None
    slow: float | None = None

    def after(self, rows: int, seconds: float) -> Speed:
        """Take in `rows` passed within `seconds` of wall time."""
        if seconds <= 0:
            return self
        return Speed(
            _blend(self.fast, rows / seconds, seconds, FAST_S), _blend(self.slow, rows / seconds, seconds, SLOW_S)
        )


def progress(*, rows_scanned: int, rows_estimated: int, done: bool, speed: Speed) -> Progress:
    """Where a walk over about `rows_estimated` rows stands. The fraction never falls back and is 1.0 only when done."""
    estimated = rows_scanned if done else max(rows_estimated, rows_scanned)
    rows_per_s = speed.fast or 0.0
    if done:
        return Progress(1.0, estimated, rows_per_s, (0.0, 0.0))
    fraction = min(rows_scanned / estimated, UNFINISHED) if estimated else 0.0
    return Progress(fraction, estimated, rows_per_s, _eta(estimated - rows_scanned, fraction, speed))


def _eta(left: int, fraction: float, speed: Speed) -> tuple[float, float] | None:
    rates = [rate for rate in (speed.fast, speed.slow) if rate is not None and rate >= 1e-3]
    if len(rates) < 2 or not left or fraction < SHOWN_FROM:
        return None
    return left / max(rates), left / min(rates)


def _blend(old: float | None, new: float, seconds: float, constant_s: float) -> float:
    if old is None:
        return new
    weight = 1 - math.exp(-seconds / constant_s)
    return old + weight * (new - old)
