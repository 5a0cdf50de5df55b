"""Every expected replica is accounted for: streaming, paused, gone, foreign, silent; and unknown is never fine."""

import os
import socket
import time

import psycopg
import pytest

from migrations_app.engines import servers
from migrations_app.engines.postgres import heartbeat
from migrations_app.engines.postgres.address import Address, parse
from migrations_app.engines.postgres.catalog import identity
from migrations_app.engines.postgres.connect import connect
from migrations_app.engines.postgres.replication import ExpectedReplica, ReplicaWatch, observe

pytestmark = pytest.mark.targets


@pytest.fixture
def primary(database_url):
    with connect(database_url, application_name="tidegate:test") as conn:
        yield conn


@pytest.fixture
def watching(primary, database_url):
    """`watching(replica, ...)` is a watch of this test's database."""

    def watch(*replicas, **options):
        who = identity(primary).system_identifier
        address = parse(database_url)
        return ReplicaWatch(conn_address=address, replicas=replicas, expected_system_identifier=who, **options)

    return watch


def look(primary, *replicas, **options):
    who = options.pop("who", None) or identity(primary).system_identifier
    return observe(primary, replicas, expected_system_identifier=who, **options)


def until(watch, wanted, patience_s=10):
    deadline = time.monotonic() + patience_s
    while not wanted(*(states := watch.observe())):
        assert time.monotonic() < deadline, states
        time.sleep(0.05)
    return states


def connected_name(primary):
    return primary.execute("SELECT application_name FROM pg_stat_replication WHERE state = 'streaming'").fetchone()[0]


def has_a_beat(replica_url):
    with connect(replica_url, application_name="tidegate:test") as replica:
        return heartbeat.read(replica) is not None


def write(conn, rows=20_000):
    conn.execute("CREATE TABLE IF NOT EXISTS t (id int)")
    conn.execute("INSERT INTO t SELECT generate_series(1, %s)", [rows])


def test_a_replica_that_has_everything_streams_without_lag(watching, replica_url):
    with watching(ExpectedReplica("r", parse(replica_url))) as watch:
        (state,) = until(watch, lambda state: state.state == "streaming" and state.lag_s == 0.0)
    assert state.lag_bytes is not None
    assert state.reason == ""


def test_a_single_look_reads_a_replica_too(primary, replica_url):
    (state,) = look(primary, ExpectedReplica("r", parse(replica_url)))
    assert state.state == "streaming"
    assert state.lag_bytes is not None


def test_a_replica_without_a_url_is_judged_by_what_the_primary_says(primary, replica_url):
    (state,) = look(primary, ExpectedReplica(connected_name(primary)))
    assert state.state == "streaming"
    assert state.lag_bytes is not None


def test_a_replica_that_is_not_connected_is_missing(primary, replica_url):
    (state,) = look(primary, ExpectedReplica("nobody"))
    assert (state.state, state.lag_bytes, state.lag_s) == ("missing", None, None)
    assert "nobody" in state.reason


def test_a_role_that_may_not_see_replicas_gets_unknown_and_the_grant_to_ask_for(primary, replica_url):
    name = connected_name(primary)
    who = identity(primary).system_identifier
    primary.execute("SET ROLE pg_signal_backend")
    (state,) = look(primary, ExpectedReplica(name), who=who)
    assert state.state == "unknown"
    assert "pg_monitor" in state.reason


def test_paused_replay_is_said_and_its_lag_grows_in_bytes_and_seconds(watching, primary, replica_url, pause_replay):
    with watching(ExpectedReplica("r", parse(replica_url))) as watch:
        until(watch, lambda _: has_a_beat(replica_url))
        with pause_replay():
            write(primary)
            (state,) = until(watch, lambda state: (state.lag_s or 0) > 1.0)
            assert state.state == "paused"
            assert state.lag_bytes > 100_000
        until(watch, lambda state: state.state == "streaming" and state.lag_s == 0.0)


def test_paused_replay_shows_bytes_through_the_primary_as_well(primary, replica_url, pause_replay):
    name = connected_name(primary)
    with pause_replay():
        write(primary)
        (state,) = look(primary, ExpectedReplica(name))
    assert state.lag_bytes > 100_000
    assert state.lag_s is None or state.lag_s > 0


def test_the_primary_itself_listed_as_a_replica_is_foreign(primary, database_url):
    (state,) = look(primary, ExpectedReplica("r", parse(database_url)))
    assert state.state == "foreign"
    assert "not a standby" in state.reason


def test_a_server_of_another_cluster_is_foreign(primary):
    (state,) = look(primary, ExpectedReplica("r", parse(os.environ["TIDEGATE_DATABASE_URL"])))
    assert state.state == "foreign"
    assert "another cluster" in state.reason


def test_a_replica_where_nobody_listens_is_unreachable_with_the_cause(primary):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (state,) = look(primary, ExpectedReplica("r", Address("127.0.0.1", port, "x", "ann", "canary-pw")))
    assert (state.state, state.lag_bytes, state.lag_s) == ("unreachable", None, None)
    assert f"nothing listens on 127.0.0.1 port {port}" in state.reason
    assert "canary-pw" not in repr(state)


def test_a_silent_replica_does_not_hold_up_the_others(watching, replica_url):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        dead = ExpectedReplica("dead", Address("127.0.0.1", silent.getsockname()[1], "x", "ann"))
        with watching(dead, ExpectedReplica("r", parse(replica_url))) as watch:
            until(watch, lambda dead, alive: alive.state == "streaming")
            began = time.monotonic()
            states = watch.observe()
            assert time.monotonic() - began < 0.25
    assert [state.state for state in states] == ["unreachable", "streaming"]
    assert "in time" in states[0].reason


def test_a_killed_replica_is_told_within_a_quarter_second(watching, spare_replica):
    address, name = parse(spare_replica.url()), spare_replica.name
    with watching(ExpectedReplica("direct", address), ExpectedReplica(name)) as watch:
        until(watch, lambda *states: {state.state for state in states} == {"streaming"})
        servers.stop(spare_replica, at_once=True)
        began = time.monotonic()
        direct, _ = watch.observe()
        assert time.monotonic() - began < 0.25
        assert direct.state == "unreachable"
        until(watch, lambda _, by_name: by_name.state == "missing")
        assert watch.observe()[0].lag_s is None


def test_dead_replicas_are_tried_once_a_second_at_most(watching):
    tries = []

    def refuse(address):
        tries.append(address)
        raise psycopg.OperationalError("gone")

    with watching(ExpectedReplica("r", Address("127.0.0.1", 1, "x", "ann")), connect=refuse) as watch:
        states = [watch.observe()[0].state for _ in range(20)]
    assert len(tries) == 1
    assert set(states) == {"unreachable"}


def test_a_target_without_replicas_has_nothing_to_wait_for(watching):
    with watching() as watch:
        assert watch.observe() == ()


def test_a_target_that_became_a_standby_leaves_everything_unknown(primary, replica_url):
    who = identity(primary).system_identifier
    with connect(replica_url, application_name="tidegate:test") as demoted:
        (state,) = look(demoted, ExpectedReplica("r"), who=who)
    assert state.state == "unknown"
    assert "failover" in state.reason


def test_sessions_that_wait_for_a_backfill_are_counted_and_ours_are_not(watching, primary, database_url):
    primary.execute("CREATE TABLE t (id int); INSERT INTO t VALUES (1)")
    with watching() as watch, connect(database_url, application_name="tidegate:7:1", autocommit=False) as ours:
        ours.execute("UPDATE t SET id = 2")
        assert watch.blocked_sessions() == 0
        with psycopg.connect(database_url, autocommit=True) as web:
            web.execute("SET statement_timeout = '3s'")
            web.pgconn.send_query(b"UPDATE t SET id = 3")
            deadline = time.monotonic() + 5
            while watch.blocked_sessions() != 1:
                assert time.monotonic() < deadline
                time.sleep(0.02)
            ours.rollback()
            while web.pgconn.get_result():
                pass
