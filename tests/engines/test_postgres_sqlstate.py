"""Real errors of a real server, and what we call them."""

import contextlib

import psycopg
import pytest

from migrations_app.engines.postgres.connect import connect
from migrations_app.engines.postgres.sqlstate import ADVICE, classify


@pytest.fixture
def conn(database_url):
    with connect(database_url, application_name="tidegate:test", lock_timeout_ms=50) as conn:
        conn.execute("CREATE TABLE t (id int PRIMARY KEY CHECK (id > 0))")
        yield conn


def failure_of(conn, sql):
    with pytest.raises(psycopg.Error) as error:
        conn.execute(sql)
    return classify(error.value)


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("SELEC 1", "syntax"),
        ("SELECT * FROM missing", "undefined"),
        ("SELECT missing FROM t", "undefined"),
        ("SELECT missing()", "undefined"),
        ("INSERT INTO t VALUES (0)", "data"),
        ("SELECT 1 / 0", "data"),
        ("SELECT set_config('statement_timeout', '10ms', false); SELECT pg_sleep(2)", "statement_timeout"),
        ("BEGIN READ ONLY; CREATE TABLE u ()", "read_only"),
        ("SET ROLE pg_monitor; CREATE ROLE mallory", "permission"),
        ("CREATE DATABASE postgres", "other"),
        ("DO $$ BEGIN RAISE EXCEPTION USING errcode = '53100'; END $$", "disk_full"),
    ],
)
def test_what_can_never_work_unchanged_is_not_retried(conn, sql, kind):
    failure = failure_of(conn, sql)
    assert (failure.kind, failure.is_retryable) == (kind, False)
    assert failure.advice == ADVICE[kind]
    assert failure.message


def test_a_table_that_somebody_holds_is_a_lock_timeout_and_may_be_retried(conn, database_url):
    with psycopg.connect(database_url) as reader:
        reader.execute("SELECT * FROM t")
        failure = failure_of(conn, "ALTER TABLE t ADD COLUMN a int")
    assert (failure.kind, failure.sqlstate, failure.is_retryable) == ("lock_timeout", "55P03", True)


def test_a_session_that_the_server_ends_is_a_shutdown(conn, database_url):
    with psycopg.connect(database_url, autocommit=True) as admin:
        admin.execute("SELECT pg_terminate_backend(%s, 1000)", [conn.info.backend_pid])
    failure = failure_of(conn, "SELECT 1")
    assert (failure.kind, failure.sqlstate, failure.is_retryable) == ("shutdown", "57P01", True)


def test_a_session_that_is_dead_already_is_a_lost_connection(conn, database_url):
    with psycopg.connect(database_url, autocommit=True) as admin:
        admin.execute("SELECT pg_terminate_backend(%s, 1000)", [conn.info.backend_pid])
    with contextlib.suppress(psycopg.Error):
        conn.execute("SELECT 1")
    failure = failure_of(conn, "SELECT 1")
    assert (failure.kind, failure.sqlstate, failure.is_retryable) == ("connection_lost", None, True)


@pytest.mark.parametrize(
    ("sqlstate", "kind", "is_retryable"),
    [
        ("40P01", "deadlock", True),
        ("40001", "other", True),
        ("57P03", "shutdown", True),
        ("53300", "too_many_connections", True),
        ("08006", "connection_lost", True),
        ("25P03", "connection_lost", True),
        ("23505", "data", False),
        ("XX000", "other", False),
        (None, "connection_lost", True),
    ],
)
def test_a_bare_sqlstate_is_classified_as_well(sqlstate, kind, is_retryable):
    failure = classify(sqlstate)
    assert (failure.kind, failure.is_retryable) == (kind, is_retryable)
