"""The embedded servers: these tests run on them, so most of what they do is proven by every other test."""

from __future__ import annotations

import psycopg
import pytest

from migrations_app.engines import servers


def _one(connection: psycopg.Connection, query: str):
    return connection.execute(query).fetchone()[0]


def test_a_database_is_fresh_and_on_the_primary(database_url, admin_conn):
    connection = admin_conn(database_url)
    assert _one(connection, "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace") == 0
    assert _one(connection, "SELECT pg_is_in_recovery()") is False


def test_what_is_written_on_the_primary_is_read_on_the_replica(replica_url, database_url, admin_conn, pause_replay):
    with pause_replay():
        admin_conn(database_url).execute("CREATE TABLE t AS SELECT 1 AS n")
        reader = admin_conn(replica_url)
        with pytest.raises(psycopg.errors.UndefinedTable):
            reader.execute("SELECT n FROM t")
    assert _one(reader, "SELECT n FROM t") == 1


def test_a_spare_replica_streams_under_its_own_name_until_it_is_stopped(spare_replica, admin_conn):
    names = "SELECT count(*) FROM pg_stat_replication WHERE application_name = %s"
    primary = admin_conn()
    assert primary.execute(names, [spare_replica.name]).fetchone() == (1,)
    servers.stop(spare_replica, at_once=True)
    assert primary.execute(names, [spare_replica.name]).fetchone() == (0,)
