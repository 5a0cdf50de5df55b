"""The size of a chunk, steered by what the last ones took."""

from hypothesis import given
from hypothesis import strategies as st

from migrations_app.engines.backfill.pace import CEILING, FLOOR, Pace


def steered(pace: Pace, row_s: float, chunks: int) -> Pace:
    for _ in range(chunks):
        pace = pace.after(pace.rows, pace.rows * row_s)
    return pace


def test_quick_chunks_double_at_most():
    assert Pace(0.1).after(1000, 0.001).rows == 2000


def test_the_size_settles_where_a_chunk_takes_the_target_time():
    assert 9_900 <= steered(Pace(0.1), row_s=0.00001, chunks=12).rows <= 10_000


def test_a_slow_chunk_shrinks_the_next_at_once():
    settled = steered(Pace(0.1), row_s=0.00001, chunks=12)
    assert settled.after(settled.rows, 1.0).rows == 1000


def test_one_slow_chunk_is_an_accident_and_two_are_a_pattern():
    once = steered(Pace(0.1), row_s=0.00001, chunks=12).after(10_000, 1.0)
    assert steered(once, row_s=0.00001, chunks=4).rows > 9_000
    twice = once.after(1_000, 0.1)
    assert steered(twice, row_s=0.00001, chunks=8).rows < 2_000
    assert steered(twice, row_s=0.00001, chunks=14).rows > 9_000


def test_trouble_halves_and_holds_growth_for_a_while():
    pace = Pace(0.1, rows=8000).after_trouble()
    assert pace.rows == 4000
    assert pace.after(4000, 0.001).rows == 4000
    assert steered(pace, row_s=0.000001, chunks=6).rows == 8000


@given(st.lists(st.tuples(st.integers(0, 10**6), st.floats(0, 1000)), max_size=30), st.booleans())
def test_the_size_stays_between_floor_and_ceiling(chunks, trouble):
    pace = Pace(0.1)
    for scanned, elapsed_s in chunks:
        pace = pace.after(scanned, elapsed_s)
        pace = pace.after_trouble() if trouble else pace
        assert FLOOR <= pace.rows <= CEILING
