"""What is left, and what a dry run shows."""

import pytest

from migrations_app.engines.backfill import checkpoint, verify
from migrations_app.engines.backfill.sample import sample
from migrations_app.engines.backfill.verify import remaining
from tests.engines.backfill_scene import checked, counters, go, numbers, stop_after


@pytest.fixture
def conn(database_url, admin_conn):
    return admin_conn(database_url)


@pytest.fixture
def done(conn):
    """A finished backfill of 100 notes: (definition, checkpoint)."""
    numbers(conn, 100)
    what = checked(conn, "t", where="note IS NULL", note="'x'")
    return what, go(conn, what).checkpoint


def test_nothing_left_is_verified(conn, done):
    left = remaining(conn, *done)
    assert (left.rows, left.rows_since_start, left.verified) == (0, 0, True)
    assert left.reason == "No row of the backfill is left."


def test_new_rows_are_counted_apart_and_do_not_spoil_it(conn, done):
    conn.execute("INSERT INTO t SELECT g FROM generate_series(101, 107) g")
    left = remaining(conn, *done)
    assert (left.rows, left.rows_since_start, left.verified) == (0, 7, True)
    assert "application still writes such rows" in left.reason


def test_rows_that_the_walk_missed_are_found(conn, done):
    conn.execute("UPDATE t SET note = NULL WHERE id IN (3, 5)")
    left = remaining(conn, *done)
    assert (left.rows, left.rows_since_start, left.verified) == (2, 0, False)
    assert left.reason.startswith("2 rows still match the WHERE.")


def test_another_pass_takes_the_missed_and_the_new_rows(conn, done):
    what, at = done
    conn.execute("UPDATE t SET note = NULL WHERE id = 3; INSERT INTO t VALUES (101)")
    checkpoint.reopen(conn, at)
    again = go(conn, what, epoch=2)
    assert (again.done, again.rows, again.checkpoint.rows_done) == (True, 2, 102)
    assert remaining(conn, what, again.checkpoint).rows == 0


@pytest.mark.parametrize("deleted", ["id > 90", "id < 0", "true"])
def test_a_slow_count_goes_on_chunk_by_chunk(conn, done, monkeypatch, deleted):
    what, at = done
    conn.execute(f"DELETE FROM t WHERE {deleted}; UPDATE t SET note = NULL WHERE id IN (3, 5)")
    whole = remaining(conn, what, at)
    monkeypatch.setattr(verify, "CHUNK_ROWS", 7)
    monkeypatch.setattr(
        verify.statements,
        "count_matching",
        lambda *_: conn.execute("SET LOCAL statement_timeout = 1; SELECT pg_sleep(1)"),
    )
    assert remaining(conn, what, at) == whole


def test_new_rows_are_told_apart_in_a_slow_count_too(conn, done, monkeypatch):
    conn.execute("INSERT INTO t SELECT g FROM generate_series(101, 120) g")
    monkeypatch.setattr(verify, "CHUNK_ROWS", 7)
    assert verify._in_chunks(conn, done[0], done[1].upper, 1000, lambda: None) == (0, 20)
    assert verify._in_chunks(conn, done[0], None, 1000, lambda: None) == (0, 20)
    assert verify._in_chunks(conn, done[0], None, 1000, stop_after(2)) == "enough"


def test_without_a_where_the_end_of_the_walk_is_the_proof(conn):
    numbers(conn, 10)
    what = checked(conn, "t", n="n + 1")
    left = remaining(conn, what, go(conn, what).checkpoint)
    assert (left.rows, left.verified) == (None, True)
    assert "no WHERE" in left.reason


def test_a_where_that_set_cannot_change_proves_nothing_and_says_so(conn):
    numbers(conn, 10)
    what = checked(conn, "t", where="id > 3", n="n + 1")
    left = remaining(conn, what, go(conn, what).checkpoint)
    assert (left.rows, left.verified) == (None, True)
    assert "does not mention a column that is set" in left.reason


def test_an_unfinished_walk_is_not_verified(conn):
    numbers(conn, 100)
    what = checked(conn, "t", n="n + 1")
    half = go(conn, what, chunk_rows=10, should_stop=stop_after(1))
    assert not remaining(conn, what, half.checkpoint).verified


def test_a_sample_shows_before_and_after_and_changes_nothing(conn):
    numbers(conn, 50)
    tried = sample(conn, checked(conn, "t", where="note IS NULL", n="n + id::int", note="upper('e%s')"), n=3)
    assert [(row.key, row.before, row.after, row.still_matches) for row in tried.rows] == [
        ((str(i),), {"n": 0, "note": None}, {"n": i, "note": "E%S"}, False) for i in (1, 2, 3)
    ]
    assert tried.error is None
    assert counters(conn) == [(0, 50)]


def test_a_sample_tells_that_rows_would_match_again(conn):
    numbers(conn, 5)
    assert sample(conn, checked(conn, "t", where="n < 9", n="n + 1")).rows[0].still_matches


def test_a_sample_tells_which_row_breaks(conn):
    numbers(conn, 5)
    tried = sample(conn, checked(conn, "t", n="1 / (id - 3)::int"))
    assert len(tried.rows) == 2
    assert tried.error == "division by zero at key 3"


def test_a_sample_does_not_wait_long_for_a_lock(conn, admin_conn, database_url):
    numbers(conn, 5)
    admin_conn(database_url, autocommit=False).execute("UPDATE t SET n = 7 WHERE id = 2")
    assert sample(conn, checked(conn, "t", n="1")).error == "canceling statement due to lock timeout at key 2"
