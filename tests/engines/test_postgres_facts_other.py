"""What the facts hold beside tables: functions, types, sequences, extensions, busy queries, and the session."""

import pytest

from migrations_app.engines.postgres import facts_other
from migrations_app.engines.postgres.connect import connect
from migrations_app.engines.postgres.facts import facts_for, read_facts
from migrations_app.engines.risk.facts import SequenceFacts, TypeFacts


@pytest.fixture
def conn(database_url):
    with connect(database_url, application_name="tidegate:test", lock_timeout_ms=100) as conn:
        yield conn


def test_functions_are_read_with_definition_settings_and_what_calls_them(conn):
    conn.execute("CREATE TABLE t (a int)")
    conn.execute(
        "CREATE FUNCTION f(x int, y text DEFAULT '') RETURNS int IMMUTABLE SECURITY DEFINER LANGUAGE sql "
        "SET search_path = public AS 'SELECT x'"
    )
    conn.execute(
        "ALTER TABLE t ALTER a SET DEFAULT f(1); CREATE VIEW v AS SELECT f(a) FROM t; CREATE INDEX i ON t (f(a))"
    )
    (f,) = read_facts(conn, []).function("f")
    assert (f.qualified, f.arguments, f.language, f.volatility, f.kind) == (
        "public.f",
        "x integer, y text",
        "sql",
        "i",
        "f",
    )
    assert (f.security_definer, f.settings, f.extension) == (True, ("search_path=public",), None)
    assert "AS $function$SELECT x$function$" in f.definition
    assert f.dependents == ("default of public.t.a", "index public.i", "view public.v")


def test_overloads_procedures_and_aggregates_are_told_apart(conn):
    conn.execute(
        "CREATE FUNCTION f(int) RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE PROCEDURE f() LANGUAGE sql AS ''"
    )
    conn.execute("CREATE AGGREGATE total (int) (SFUNC = int4pl, STYPE = int)")
    facts = read_facts(conn, [])
    assert {(one.kind, one.arguments) for one in facts.function("f")} == {("f", "integer"), ("p", "")}
    assert [(one.kind, one.definition) for one in facts.function("total")] == [("a", "")]


def test_functions_of_extensions_and_of_types_are_left_out_unless_they_are_named(conn):
    conn.execute("CREATE EXTENSION citext; CREATE TYPE span AS RANGE (SUBTYPE = int)")
    assert read_facts(conn, []).functions == {}
    assert {one.extension for one in read_facts(conn, ["regexp_match"]).function("regexp_match")} == {"citext"}


def test_named_functions_are_not_cut_off_by_the_limit(conn, monkeypatch):
    monkeypatch.setattr(facts_other, "MOST_FUNCTIONS", 1)
    for name in "ab":
        conn.execute(f"CREATE FUNCTION {name}() RETURNS int LANGUAGE sql AS 'SELECT 1'".encode())
    assert list(read_facts(conn, ["b"]).functions) == ["public.b"]


def test_types_tell_their_kind_base_checks_and_columns(conn):
    conn.execute("CREATE DOMAIN pos AS int NOT NULL CONSTRAINT plus CHECK (VALUE > 0)")
    conn.execute("ALTER DOMAIN pos ADD CONSTRAINT small CHECK (VALUE < 9) NOT VALID; CREATE DOMAIN deep AS pos")
    conn.execute(
        "CREATE TYPE mood AS ENUM ('a'); CREATE TYPE pair AS (m mood); CREATE TYPE span AS RANGE (SUBTYPE = int)"
    )
    conn.execute("CREATE TABLE t (p pos, d deep, m mood[])")
    types = read_facts(conn, []).types
    checks = {"plus": True, "small": False}
    assert types["public.pos"] == TypeFacts("domain", "integer", True, checks, ("public.t.d", "public.t.p"))
    assert types["public.mood"] == TypeFacts("enum", columns=("public.pair.m", "public.t.m"))
    assert (types["public.pair"].kind, types["public.span"]) == ("composite", TypeFacts("range", "integer"))
    assert "public.t" not in types


def test_sequences_tell_where_they_stand_and_what_draws_from_them(conn):
    conn.execute("CREATE TABLE t (id serial, other int DEFAULT nextval('t_id_seq')); INSERT INTO t DEFAULT VALUES")
    conn.execute("CREATE SEQUENCE own INCREMENT 5 MAXVALUE 99; CREATE SEQUENCE far")
    assert read_facts(conn, ["t", "own"]).sequences == {
        "public.t_id_seq": SequenceFacts(
            2, 1, 2**31 - 1, "integer", "public.t.id", ("column public.t.id", "column public.t.other")
        ),
        "public.own": SequenceFacts(None, 5, 99, "bigint"),
    }


def test_a_sequence_that_may_not_be_read_has_no_last_value(conn):
    conn.execute("CREATE TABLE t (id serial); INSERT INTO t DEFAULT VALUES; GRANT USAGE ON SCHEMA public TO pg_monitor")
    conn.execute("SET ROLE pg_monitor")
    facts = read_facts(conn, ["t"])
    assert facts.sequence("t_id_seq").last_value is None
    assert (facts.find("t").has_rows, facts.find("t").columns["id"].type) == (None, "integer")


def test_an_extension_tells_what_stands_on_it_and_is_no_answer_when_missing(conn):
    conn.execute("CREATE EXTENSION citext; CREATE EXTENSION pg_trgm; CREATE EXTENSION hstore")
    conn.execute("CREATE TABLE t (a citext, b citext[], c text); CREATE INDEX i ON t USING gin (c gin_trgm_ops)")
    assert read_facts(conn, ["citext", "pg_trgm", "hstore", "missing"]).extensions == {
        "citext": ("column public.t.a", "column public.t.b"),
        "pg_trgm": ("index public.i",),
        "hstore": (),
    }


def test_without_its_library_pg_stat_statements_tells_nothing_and_breaks_nothing(conn):
    conn.execute("CREATE EXTENSION pg_stat_statements; CREATE TABLE t (id int)")
    facts = read_facts(conn, ["t"])
    assert (facts.queries, set(facts.tables)) == ((), {"public.t"})


def test_statements_that_mention_a_table_are_told_with_their_calls(conn):
    # Stands in for the extension's view, which needs a library that the server has loaded at its start.
    conn.execute("CREATE EXTENSION pg_stat_statements; CREATE TABLE t (id int)")
    conn.execute("ALTER EXTENSION pg_stat_statements DROP VIEW pg_stat_statements; DROP VIEW pg_stat_statements")
    conn.execute(
        "CREATE VIEW pg_stat_statements AS SELECT d.oid AS dbid, q AS query, c AS calls FROM pg_database d, (VALUES "
        "('SELECT * FROM t', 5::bigint), ('UPDATE public.\"t\" SET x = 1', 9), ('SELECT * FROM total', 99), "
        "('SELECT 1 FROM pg_class t', 9)) AS v(q, c) "
        "WHERE d.datname = current_database()"
    )
    assert read_facts(conn, ["t"]).queries == (('UPDATE public."t" SET x = 1', 9), ("SELECT * FROM t", 5))


def test_the_time_zone_of_the_session_is_told(conn):
    conn.execute("SET timezone = 'Europe/Vienna'")
    assert read_facts(conn, []).timezone == "Europe/Vienna"


def test_the_settings_of_the_session_are_left_as_they_were(conn):
    conn.execute("CREATE TABLE t (id int)")
    query = "SELECT array_agg(name || '=' || setting ORDER BY name) FROM pg_settings"
    before = conn.execute(query).fetchone()
    facts_for(conn, ["DELETE FROM t WHERE id > 1"])
    assert conn.execute(query).fetchone() == before
