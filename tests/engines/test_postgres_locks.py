"""The target's lock, its holder, blockers in words, and orphans that are ended for good."""

import threading
import time

import psycopg
import pytest

from migrations_app.engines.postgres.connect import connect
from migrations_app.engines.postgres.locks import blockers, end_sessions, holder, lock_key, our_sessions
from migrations_app.errors import Conflict, Invalid

RUN = "tidegate:7:1"
KEY = -71846078537595600
KEYS = [lock_key("7412345678901234567", 16384), 0, -1, 1, 2**63 - 1, -(2**63), 1 << 32]


@pytest.fixture
def conn(database_url):
    with connect(database_url, application_name="tidegate:watch") as conn:
        yield conn


@pytest.fixture
def run(database_url):
    with connect(database_url, application_name=RUN, lock_timeout_ms=0) as run:
        yield run


@pytest.fixture
def in_background():
    """`in_background(conn, sql)` runs a statement that waits; its error, if any, is what the returned list gets."""
    threads = []

    def start(conn, sql):
        errors = []

        def work():
            try:
                conn.execute(sql)
            except psycopg.Error as error:
                errors.append(error)

        threads.append(threading.Thread(target=work))
        threads[-1].start()
        return errors

    yield start
    for thread in threads:
        thread.join()


def wait_until(is_true):
    deadline = time.monotonic() + 5
    while not (found := is_true()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return found


def test_the_key_of_a_target_never_changes():
    assert lock_key("7412345678901234567", 16384) == KEY
    assert lock_key("7412345678901234567", 16385) != KEY


@pytest.mark.parametrize("key", KEYS)
def test_the_holder_of_a_lock_is_shown_whatever_the_key(conn, run, key):
    assert holder(conn, key) is None
    run.execute("SELECT pg_advisory_lock(%s)", [key])
    found = holder(conn, key)
    assert (found.pid, found.application_name) == (run.info.backend_pid, RUN)
    assert [other for other in KEYS if other != key and holder(conn, other)] == []


def test_the_same_key_in_another_database_is_another_lock(conn, primary_server_url):
    with connect(primary_server_url, application_name=RUN) as elsewhere:
        elsewhere.execute("SELECT pg_advisory_lock(1)")
        assert holder(conn, 1) is None


def test_a_blocker_is_shown_with_its_age_query_and_lock(conn, run, database_url, in_background):
    conn.execute("CREATE TABLE t (id int)")
    with psycopg.connect(database_url, application_name="report") as reader:
        reader.execute("SELECT 'for a long time' FROM t")
        in_background(run, "ALTER TABLE t ADD COLUMN a int")
        (found,) = wait_until(lambda: blockers(conn, run.info.backend_pid))
        assert (found.pid, found.application_name) == (reader.info.backend_pid, "report")
        assert (found.state, found.mode) == ("idle in transaction", "AccessShareLock")
        assert found.query == "SELECT 'for a long time' FROM t"
        assert 0 < found.age_s < 60


def test_a_long_query_of_a_blocker_is_cut(conn, run, database_url, in_background):
    conn.execute("CREATE TABLE t (id int)")
    with psycopg.connect(database_url) as reader:
        reader.execute(f"SELECT '{'x' * 500}' FROM t")
        in_background(run, "ALTER TABLE t ADD COLUMN a int")
        assert len(wait_until(lambda: blockers(conn, run.info.backend_pid))[0].query) == 200


def test_who_does_not_wait_has_no_blockers(conn, run):
    assert blockers(conn, run.info.backend_pid) == ()


def test_our_sessions_are_those_of_this_database_without_the_one_that_asks(conn, run, database_url, primary_server_url):
    with psycopg.connect(database_url, application_name="web"), connect(primary_server_url, application_name=RUN):
        assert [session.pid for session in our_sessions(conn)] == [run.info.backend_pid]


def test_an_orphan_that_works_holding_the_lock_is_gone_when_we_return(conn, run, in_background):
    run.execute("SELECT pg_advisory_lock(1)")
    errors = in_background(run, "SELECT pg_sleep(60)")
    wait_until(lambda: our_sessions(conn)[0].state == "active")
    began = time.monotonic()
    assert end_sessions(conn, RUN) == (run.info.backend_pid,)
    assert our_sessions(conn) == ()
    assert holder(conn, 1) is None
    assert time.monotonic() - began < 5
    wait_until(lambda: errors)


def test_an_orphan_that_sits_idle_in_a_transaction_is_undone(conn, run):
    conn.execute("CREATE TABLE t (id int)")
    run.autocommit = False
    run.execute("INSERT INTO t VALUES (1)")
    end_sessions(conn, RUN)
    run.close()
    assert conn.execute("SELECT count(*) FROM t").fetchone() == (0,)


def test_ending_sessions_that_are_not_there_is_no_error(conn):
    assert end_sessions(conn, "tidegate:none") == ()


def test_a_longer_name_that_begins_the_same_is_left_alone(conn, database_url):
    with connect(database_url, application_name="tidegate:7:11") as other:
        assert end_sessions(conn, "tidegate:7:1") == ()
        assert other.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.parametrize("name", ["web", "", "tidegate:", "psql"])
def test_sessions_that_are_not_ours_are_never_ended(conn, database_url, name):
    with psycopg.connect(database_url, application_name=name) as other, pytest.raises(Invalid):
        end_sessions(conn, name)
    assert other.closed


def test_a_role_that_may_not_end_the_orphan_is_told_what_to_grant(conn, run):
    conn.execute("SET ROLE pg_monitor")
    with pytest.raises(Conflict, match="pg_signal_backend"):
        end_sessions(conn, RUN)
    assert run.execute("SELECT 1").fetchone() == (1,)
