"""Lag in seconds from beats, by the primary's clock alone."""

import psycopg
import pytest

from migrations_app.engines.postgres.connect import connect
from migrations_app.engines.postgres.heartbeat import Heartbeat, beat, ensure, read


@pytest.mark.parametrize(
    ("latest", "replayed", "lag_s"),
    [
        (Heartbeat(7, 100.0), Heartbeat(7, 100.0), 0.0),  # it has all there is, however old that is
        (Heartbeat(7, 100.0), Heartbeat(8, 100.5), 0.0),  # another worker has beaten since
        (Heartbeat(7, 100.0), Heartbeat(6, 99.0), 0.4),  # lacks one beat, written 0.4 s ago
        (Heartbeat(7, 100.0), Heartbeat(3, 96.0), 3.4),  # lacks four: the oldest of them was written at 97
        (Heartbeat(2, 100.0), Heartbeat(1, 10.0), 0.4),  # a long pause between beats is no lag
        (Heartbeat(7, 100.9), Heartbeat(6, 99.0), 0.0),  # never negative
    ],
)
def test_lag_is_the_age_of_the_oldest_beat_that_the_replica_lacks(latest, replayed, lag_s):
    assert latest.lag_s(replayed, now=100.4) == pytest.approx(lag_s)


def test_beats_are_counted_and_dated_by_the_server(database_url):
    with connect(database_url, application_name="tidegate:test") as conn:
        assert read(conn) is None
        assert ensure(conn)
        assert read(conn) is None
        first, second = beat(conn), beat(conn)
        assert read(conn) == second
    assert (first.seq, second.seq) == (1, 2)
    assert first.at < second.at


def test_a_role_that_may_not_create_our_schema_goes_on_without(database_url):
    with connect(database_url, application_name="tidegate:test") as conn:
        conn.execute("SET ROLE pg_monitor")
        assert not ensure(conn)
        assert conn.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
