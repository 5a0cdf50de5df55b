"""Slices: exactly once whatever dies, prompt to stop, honest about why they wait."""

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import psycopg
import pytest

from migrations_app.engines.backfill import checkpoint
from migrations_app.engines.backfill.checkpoint import Checkpoint, Fenced
from migrations_app.engines.backfill.throttle import Limits
from migrations_app.errors import Invalid
from tests.engines.backfill_scene import FAST, checked, counters, go, lagging, numbers, stop_after


@pytest.fixture
def conn(database_url, admin_conn):
    return admin_conn(database_url)


def test_a_slice_goes_through_the_table_in_chunks(conn):
    numbers(conn, 50_000)
    chunks = []
    result = go(conn, checked(conn, "t", n="n + 1"), on_chunk=chunks.append, budget_s=60)
    assert (result.done, result.rows, result.failure, result.stopped) == (True, 50_000, None, None)
    assert counters(conn) == [(1, 50_000)]
    assert len(chunks) > 2
    assert chunks[-1].checkpoint == result.checkpoint == checkpoint.read(conn, "b1")


def test_a_where_changes_only_what_matches_and_counts_both(conn):
    numbers(conn, 1000)
    result = go(conn, checked(conn, "t", where="id % 10 = 0", n="n + 1"))
    assert (result.rows, result.scanned) == (100, 1000)
    assert (result.checkpoint.rows_done, result.checkpoint.rows_scanned) == (100, 1000)


def test_the_next_slice_goes_on_where_the_last_one_stopped(conn):
    numbers(conn, 1000)
    what = checked(conn, "t", n="n + 1")
    first = go(conn, what, should_stop=stop_after(3), chunk_rows=100)
    assert (first.stopped, first.done, first.cursor) == ("enough", False, ("700",))
    assert go(conn, what, epoch=2).done
    assert counters(conn) == [(1, 1000)]


def test_a_finished_backfill_does_nothing_again(conn):
    numbers(conn, 10)
    what = checked(conn, "t", n="n + 1")
    go(conn, what)
    again = go(conn, what, epoch=2)
    assert (again.done, again.rows) == (True, 0)
    assert counters(conn) == [(1, 10)]


def test_an_empty_table_is_done_at_once(conn):
    numbers(conn, 0)
    assert go(conn, checked(conn, "t", n="1")).done


def test_rows_that_come_later_are_not_chased(conn):
    numbers(conn, 100)
    what = checked(conn, "t", n="n + 1")
    go(conn, what, should_stop=stop_after(1), chunk_rows=10)
    conn.execute("INSERT INTO t SELECT g FROM generate_series(101, 150) g")
    assert go(conn, what, epoch=2).done
    assert counters(conn) == [(0, 50), (1, 100)]


def test_a_connection_not_in_autocommit_commits_each_chunk_too(conn, admin_conn, database_url):
    numbers(conn, 100)
    manual = admin_conn(database_url, autocommit=False)
    what = checked(manual, "t", n="n + 1")
    seen = []
    go(manual, what, chunk_rows=40, on_chunk=lambda _: seen.append(counters(conn)[-1]))
    assert seen == [(1, 40), (1, 100)]


def test_a_connection_inside_a_transaction_is_refused(conn, admin_conn, database_url):
    numbers(conn, 1)
    what = checked(conn, "t", n="1")
    busy = admin_conn(database_url, autocommit=False)
    busy.execute("SELECT 1")
    with pytest.raises(ValueError, match="outside a transaction"):
        go(busy, what)


def test_each_row_is_treated_once_though_sessions_are_killed_mid_chunk(conn, database_url):
    numbers(conn, 1500)
    what = checked(conn, "t", n="n + 1 + (pg_sleep(0.0001) IS NULL)::int")
    quick, kinds, epoch = replace(FAST, chunk_ms=30), set(), 0
    done = threading.Event()

    def kill() -> None:
        with psycopg.connect(database_url, autocommit=True) as killer:
            while not done.wait(random.uniform(0.03, 0.15)):
                killer.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'victim'"
                )

    with ThreadPoolExecutor(1) as pool:
        pool.submit(kill)
        while not done.is_set() and epoch < 200:
            epoch += 1
            try:
                with psycopg.connect(database_url, autocommit=True, application_name="victim") as own:
                    result = go(own, what, epoch=epoch, limits=quick, chunk_rows=20)
            except psycopg.OperationalError:
                continue
            kinds.add(result.failure and result.failure.kind)
            if result.done:
                done.set()
        done.set()
    assert kinds & {"shutdown", "connection_lost"}
    assert counters(conn) == [(1, 1500)]


def test_a_killed_session_is_a_failure_that_may_be_retried(conn, admin_conn, database_url):
    numbers(conn, 100)
    what = checked(conn, "t", n="n + 1")
    victim = admin_conn(database_url)

    def killed(_: object) -> None:
        conn.execute("SELECT pg_terminate_backend(%s)", [victim.info.backend_pid])

    result = go(victim, what, chunk_rows=10, on_chunk=killed)
    assert (result.failure.is_retryable, result.rows, result.cursor) == (True, 10, ("10",))
    assert checkpoint.read(conn, "b1") == result.checkpoint


def test_two_workers_at_once_never_treat_a_row_twice(conn, database_url):
    numbers(conn, 1500)
    what = checked(conn, "t", n="n + 1 + (pg_sleep(0.00005) IS NULL)::int")

    def work(number: int) -> int:
        fences = 0
        for epoch in range(number, 400, 2):
            with psycopg.connect(database_url, autocommit=True) as own:
                try:
                    if go(own, what, epoch=epoch, chunk_rows=50, budget_s=0.1).done:
                        return fences
                except Fenced:
                    fences += 1
        return fences

    with ThreadPoolExecutor(2) as pool:
        fences = sum(pool.map(work, (1, 2)))
    assert fences > 0
    assert counters(conn) == [(1, 1500)]
    assert checkpoint.read(conn, "b1").rows_done == 1500


def test_a_zombie_stops_at_its_next_chunk(conn, admin_conn, database_url):
    numbers(conn, 100)
    what = checked(conn, "t", n="n + 1")

    def taken_over(_: object) -> None:
        checkpoint.claim(admin_conn(database_url), "b1", 2)

    with pytest.raises(Fenced):
        go(conn, what, chunk_rows=10, on_chunk=taken_over)
    assert counters(conn) == [(0, 90), (1, 10)]


def test_a_slice_ends_in_time_even_while_throttled(conn):
    numbers(conn, 100)
    result = go(conn, checked(conn, "t", n="n + 1"), observe=lagging, budget_s=0.4)
    assert result.rows == 0
    assert result.throttled_reason == "replica r2 lags 9.0 s, limit 2.0 s (resumes at 1.6 s)"
    assert 0.4 <= result.elapsed_s < 1


def test_it_resumes_by_itself_once_the_lag_is_gone(conn):
    numbers(conn, 100)
    lags = iter([9.0, 1.9, 1.5, 0.1, 0.1])
    result = go(conn, checked(conn, "t", n="n + 1"), observe=lambda: lagging(next(lags)))
    assert (result.done, result.throttled_reason) == (True, None)
    assert next(lags) == 0.1  # 1.9 s is below the limit but not clearly


def test_a_pause_is_obeyed_within_a_second_while_throttled(conn):
    numbers(conn, 100)
    asked = time.monotonic() + 0.3
    result = go(
        conn,
        checked(conn, "t", n="n + 1"),
        observe=lambda: lagging(None, "unreachable"),
        should_stop=lambda: "pause" if time.monotonic() > asked else None,
        budget_s=30,
    )
    assert result.stopped == "pause"
    assert time.monotonic() - asked < 1


def test_a_pause_is_obeyed_within_a_second_while_resting(conn):
    numbers(conn, 3000)
    asked = time.monotonic() + 0.5
    result = go(
        conn,
        checked(conn, "t", n="n + (pg_sleep(0.0001) IS NULL)::int"),
        limits=Limits(duty=0.01),
        should_stop=lambda: "cancel" if time.monotonic() > asked else None,
        budget_s=30,
    )
    assert result.stopped == "cancel"
    assert time.monotonic() - asked < 1


def test_the_duty_leaves_room_for_others(conn):
    numbers(conn, 400)
    busy = []
    what = checked(conn, "t", n="n + (pg_sleep(0.0005) IS NULL)::int")
    result = go(conn, what, limits=Limits(duty=0.5), chunk_rows=100, on_chunk=lambda done: busy.append(done.elapsed_s))
    assert result.elapsed_s > sum(busy) + sum(busy[:-1]) * 0.9


def test_a_locked_row_makes_smaller_chunks_and_then_a_failure_with_advice(conn, admin_conn, database_url):
    numbers(conn, 100)
    admin_conn(database_url, autocommit=False).execute("UPDATE t SET note = 'mine' WHERE id = 35")
    limits = replace(FAST, lock_timeout_ms=20, tries=4)
    result = go(conn, checked(conn, "t", n="n + 1"), limits=limits, chunk_rows=80, budget_s=30)
    assert (result.failure.kind, result.failure.is_retryable) == ("lock_timeout", True)
    assert result.failure.advice
    assert result.chunk_rows <= 20
    assert result.rows < 35


def test_a_slice_that_ends_before_the_lock_does_says_what_it_waits_for(conn, admin_conn, database_url):
    numbers(conn, 100)
    admin_conn(database_url, autocommit=False).execute("UPDATE t SET note = 'mine' WHERE id = 1")
    result = go(conn, checked(conn, "t", n="n + 1"), limits=replace(FAST, lock_timeout_ms=50), budget_s=0.1)
    assert (result.failure, result.done) == (None, False)
    assert result.trouble.startswith(
        "canceling statement due to lock timeout (try 2 of 8, with 500 rows). Somebody holds"
    )


def test_a_row_too_slow_for_any_chunk_fails_instead_of_trying_for_ever(conn):
    numbers(conn, 10)
    what = checked(conn, "t", n="n + (pg_sleep(0.3) IS NULL)::int")
    result = go(conn, what, limits=replace(FAST, statement_timeout_ms=100), chunk_rows=10)
    assert (result.failure.kind, result.rows) == ("statement_timeout", 0)


def test_a_lock_that_goes_away_is_waited_out(conn, admin_conn, database_url):
    numbers(conn, 100)
    holder = admin_conn(database_url, autocommit=False)
    holder.execute("UPDATE t SET note = 'mine' WHERE id = 5")
    threading.Timer(0.15, holder.commit).start()
    result = go(conn, checked(conn, "t", n="n + 1"), limits=replace(FAST, lock_timeout_ms=30), budget_s=30)
    assert (result.done, result.trouble) == (True, None)
    assert result.chunk_rows < 1000
    assert counters(conn) == [(1, 100)]


def test_a_chunk_that_takes_too_long_is_halved_until_it_fits(conn):
    numbers(conn, 64)
    what = checked(conn, "t", n="n + 1 + (pg_sleep(0.005) IS NULL)::int")
    result = go(conn, what, limits=replace(FAST, statement_timeout_ms=150), chunk_rows=64, budget_s=30)
    assert result.done
    assert result.chunk_rows < 64
    assert counters(conn) == [(1, 64)]


def test_a_row_that_does_not_fit_ends_the_slice_with_the_servers_words(conn):
    numbers(conn, 100)
    result = go(conn, checked(conn, "t", n="100 / (id - 45)::int"), chunk_rows=10)
    assert (result.failure.kind, result.failure.is_retryable, result.failure.message) == (
        "data",
        False,
        "division by zero",
    )
    assert result.cursor is None or int(result.cursor[0]) < 45
    assert conn.execute("SELECT count(*) FROM t WHERE id >= 45 AND n <> 0").fetchone() == (0,)


def test_a_checkpoint_kept_by_the_caller_is_used_and_the_target_is_left_alone(conn):
    numbers(conn, 100)
    what = checked(conn, "t", n="n + 1")
    stored = []
    first = go(conn, what, kept=Checkpoint("b1", 1), chunk_rows=40, should_stop=stop_after(1), on_chunk=stored.append)
    assert first.cursor == ("40",)
    assert go(conn, what, kept=stored[-1].checkpoint, epoch=2).done
    assert counters(conn) == [(1, 100)]
    assert conn.execute("SELECT to_regnamespace('tidegate')").fetchone() == (None,)


def test_without_the_schema_a_checkpoint_must_be_given(conn):
    numbers(conn, 1)
    what = replace(checked(conn, "t", n="n + 1"), guarantee="at_least_once")
    with pytest.raises(Invalid, match="Give its role the rights back"):
        go(conn, what)
