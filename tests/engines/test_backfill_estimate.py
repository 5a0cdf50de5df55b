"""Progress that never lies upwards."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrations_app.engines.backfill.estimate import Progress, Speed, progress


def steady(rows_per_s: float, seconds: int = 60) -> Speed:
    speed = Speed()
    for _ in range(seconds):
        speed = speed.after(int(rows_per_s), 1.0)
    return speed


def at(scanned: int, estimated: int = 100_000, speed: Speed | None = None) -> Progress:
    return progress(rows_scanned=scanned, rows_estimated=estimated, done=False, speed=speed or steady(1000))


def test_a_steady_run_is_foretold_exactly():
    assert at(50_000).eta_s == (pytest.approx(50), pytest.approx(50))
    assert at(50_000).fraction == 0.5


def test_below_one_per_cent_no_time_is_told():
    assert at(999).eta_s is None
    assert at(1_000).eta_s is not None


def test_an_estimate_that_was_too_low_is_corrected_and_never_shows_the_end():
    late = at(150_000)
    assert (late.fraction, late.rows_estimated, late.eta_s) == (0.99, 150_000, None)


def test_only_done_is_the_whole():
    assert at(100_000).fraction == 0.99
    assert progress(rows_scanned=5, rows_estimated=9, done=True, speed=Speed()).fraction == 1.0


def test_a_changing_speed_widens_the_range():
    low, high = at(50_000, speed=steady(1000).after(20_000, 10.0)).eta_s
    assert low < high


def test_while_throttled_to_nothing_no_time_is_told():
    stalled = steady(1000)
    for _ in range(600):
        stalled = stalled.after(0, 1.0)
    assert at(50_000, speed=stalled).eta_s is None


@given(st.integers(0, 10**6), st.lists(st.integers(0, 10**5), min_size=2, max_size=20))
def test_the_fraction_never_falls_back(estimated, steps):
    passed = [sum(steps[: i + 1]) for i in range(len(steps))]
    fractions = [at(scanned, estimated).fraction for scanned in passed]
    assert all(a <= b for a, b in pairwise(fractions))
