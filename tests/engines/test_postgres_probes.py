"""What the rows themselves tell: values and NULLs by column, and the answers to the rules' questions."""

import time

import psycopg
import pytest

from migrations_app.engines.postgres import probes
from migrations_app.engines.postgres.connect import connect
from migrations_app.engines.postgres.probes import Budget
from migrations_app.engines.risk.facts import Question

T = ("public", "t")


@pytest.fixture
def conn(database_url):
    with connect(database_url, application_name="tidegate:test", lock_timeout_ms=100) as conn:
        yield conn


def answers(conn, *texts, budget_ms=2_000):
    return probes.answer(conn, [Question(text) for text in texts], budget=Budget.of_ms(budget_ms))


def test_values_and_nulls_of_a_small_table_are_all_known(conn):
    conn.execute("CREATE TABLE t (a int, b int, c int); INSERT INTO t VALUES (1, NULL, 1), (1, NULL, NULL)")
    looked = probes.look(conn, T, ["a", "b", "c"], Budget.of_ms(5_000))
    assert looked.has_values == {"a": True, "b": False, "c": True}
    assert looked.has_nulls == {"a": False, "b": True, "c": True}
    assert looked.rows == 2


def test_a_null_beyond_the_first_rows_is_found(conn):
    conn.execute("CREATE TABLE t (a int, b int); INSERT INTO t SELECT n, n FROM generate_series(1, 5000) n")
    conn.execute("INSERT INTO t VALUES (1, NULL)")
    looked = probes.look(conn, T, ["a", "b"], Budget.of_ms(5_000))
    assert (looked.has_nulls, looked.rows) == ({"a": False, "b": True}, 5001)


def test_nulls_in_a_table_too_long_to_read_are_unknown_while_values_are_searched_for(conn, monkeypatch):
    monkeypatch.setattr(probes, "COUNTED_ROWS", 2_000)
    conn.execute("CREATE TABLE t (a int, b int); INSERT INTO t (a) SELECT generate_series(1, 5000)")
    looked = probes.look(conn, T, ["a", "b"], Budget.of_ms(5_000))
    assert looked.has_nulls == {"a": None, "b": True}
    assert looked.has_values == {"a": True, "b": False}


def test_one_table_without_rights_does_not_hide_the_others(conn):
    conn.execute("CREATE TABLE a (id int); CREATE TABLE b (id int); GRANT SELECT ON a TO pg_monitor")
    conn.execute("GRANT USAGE ON SCHEMA public TO pg_monitor; SET ROLE pg_monitor")
    found = probes.has_rows(conn, [("public", "a"), ("public", "b")], Budget.of_ms(5_000))
    assert found == {("public", "a"): False, ("public", "b"): None}


def test_questions_are_answered_by_their_text(conn):
    conn.execute("CREATE TABLE t (id int); INSERT INTO t VALUES (1), (300)")
    many, none = "SELECT count(*) FROM t WHERE id > 100", "SELECT max(id) FROM t WHERE id > 1000"
    assert answers(conn, many, none, many) == {many: 1, none: None}


def test_rows_that_refuse_a_question_are_an_answer(conn):
    conn.execute("CREATE TABLE t (n text); INSERT INTO t VALUES ('12'), ('twelve')")
    cast, types = "SELECT count(n::int) FROM t", "SELECT CASE WHEN true THEN 1 ELSE '{}'::json END"
    assert answers(conn, cast, types) == {cast: {"error": "22P02"}, types: {"error": "42804"}}


def test_a_question_without_rights_or_against_row_security_stays_open(conn):
    conn.execute("CREATE TABLE t (id int); CREATE TABLE hidden (id int); ALTER TABLE t ENABLE ROW LEVEL SECURITY")
    conn.execute("GRANT SELECT ON t TO pg_monitor; GRANT USAGE ON SCHEMA public TO pg_monitor; SET ROLE pg_monitor")
    assert answers(conn, "SELECT count(*) FROM t", "SELECT count(*) FROM hidden", "SELECT 1") == {"SELECT 1": 1}


def test_a_slow_question_leaves_time_for_the_next(conn):
    began = time.monotonic()
    assert answers(conn, "SELECT pg_sleep(5)", "SELECT 1", budget_ms=600) == {"SELECT 1": 1}
    assert time.monotonic() - began < 3


def test_a_spent_budget_answers_nothing(conn):
    assert answers(conn, "SELECT 1", budget_ms=0) == {}


def test_a_question_changes_nothing_whatever_it_tries(conn):
    conn.execute("CREATE TABLE t (id int); CREATE SEQUENCE s; INSERT INTO t VALUES (1)")
    conn.execute("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'DELETE FROM t; SELECT 1'")
    tries = (
        "SELECT f()",
        "SELECT nextval('s')",
        "SELECT 1; COMMIT; DELETE FROM t",
        "SELECT set_config('a.b', 'x', false)",
    )
    assert answers(conn, *tries) == {tries[3]: "x"}
    assert conn.execute("SELECT count(*), coalesce(current_setting('a.b', true), '') FROM t").fetchone() == (1, "")


def test_a_server_that_goes_away_is_no_answer_but_an_error(conn, database_url):
    with psycopg.connect(database_url, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s)", [conn.info.backend_pid])
    with pytest.raises(psycopg.OperationalError):
        answers(conn, "SELECT 1")
