"""A slice beside a real streaming replica: it waits while the replica does not replay, and says which one."""

import threading
import time
from contextlib import contextmanager

import pytest

from migrations_app.engines.backfill.throttle import Observation, ReplicaReading
from migrations_app.engines.postgres.address import parse
from migrations_app.engines.postgres.replication import ExpectedReplica, ReplicaWatch
from tests.engines.backfill_scene import checked, counters, go, numbers

pytestmark = pytest.mark.targets


@pytest.fixture
def conn(database_url, admin_conn):
    return admin_conn(database_url)


@contextmanager
def watching(conn, database_url, *replicas):
    """An `observe` for slices that really looks."""
    [(identifier,)] = conn.execute("SELECT system_identifier::text FROM pg_control_system()").fetchall()
    address = parse(database_url)
    with ReplicaWatch(conn_address=address, replicas=replicas, expected_system_identifier=identifier) as watch:

        def observe() -> Observation:
            states = watch.observe()
            readings = tuple(ReplicaReading(s.name, s.lag_s, s.lag_bytes, s.state, s.reason) for s in states)
            return Observation(readings, watch.blocked_sessions(), time.monotonic())

        yield observe


def test_beside_a_healthy_replica_it_runs_to_the_end(conn, database_url, replica_url):
    numbers(conn, 20_000)
    what = checked(conn, "t", n="n + 1")
    with watching(conn, database_url, ExpectedReplica("r1", parse(replica_url))) as observe:
        result = go(conn, what, observe=observe, budget_s=30)
    assert (result.done, result.throttled_reason) == (True, None)


def test_a_paused_replica_stops_the_next_chunk_and_its_return_lets_it_go_on(
    conn, database_url, replica_url, pause_replay
):
    numbers(conn, 2000)
    what = checked(conn, "t", n="n + 1")
    replica = ExpectedReplica("r1", parse(replica_url))
    with watching(conn, database_url, replica) as observe:
        with pause_replay():
            held = go(conn, what, observe=observe, budget_s=0.6)
        assert held.rows == 0
        assert held.throttled_reason.startswith("replica r1 is paused")
        assert go(conn, what, observe=observe, budget_s=30, epoch=2).done
    assert counters(conn) == [(1, 2000)]


def test_an_expected_replica_that_is_not_there_stops_it(conn, database_url):
    numbers(conn, 100)
    what = checked(conn, "t", n="n + 1")
    with watching(conn, database_url, ExpectedReplica("ghost")) as observe:
        held = go(conn, what, observe=observe, budget_s=0.3)
    assert held.rows == 0
    assert held.throttled_reason.startswith("replica ghost is missing: no standby named ghost")


def test_writers_that_wait_for_our_rows_are_let_through(conn, database_url, admin_conn):
    numbers(conn, 3000)
    ours = admin_conn(f"{database_url}?application_name=tidegate:b1:1")
    what = checked(ours, "t", n="n + (pg_sleep(0.0002) IS NULL)::int")
    waits, stop = [], threading.Event()

    def write() -> None:
        other = admin_conn(database_url)
        while not stop.is_set():
            began = time.monotonic()
            other.execute("UPDATE t SET note = 'theirs' WHERE id = 1500")
            waits.append(time.monotonic() - began)

    writer = threading.Thread(target=write)
    writer.start()
    with watching(conn, database_url) as observe:
        result = go(ours, what, observe=observe, budget_s=60)
    stop.set()
    writer.join()
    assert result.done
    assert max(waits) < 2  # far from the 5 s that the whole change would take in one statement
