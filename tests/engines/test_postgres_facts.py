"""What the risk rules are told about real tables: proven where it was read, None where it was not."""

import time

import psycopg
import pytest

from migrations_app.engines.postgres.connect import connect
from migrations_app.engines.postgres.facts import read_facts
from migrations_app.engines.risk.facts import ColumnFacts


@pytest.fixture
def conn(database_url):
    with connect(database_url, application_name="tidegate:test", lock_timeout_ms=100) as conn:
        yield conn


def test_columns_are_described_with_what_they_hold(conn):
    conn.execute("CREATE TABLE t (id bigint PRIMARY KEY, name varchar(50) DEFAULT 'x', gone text, n numeric(10, 2)[])")
    conn.execute("INSERT INTO t (id) VALUES (1)")
    assert dict(read_facts(conn, ["t"]).tables["public.t"].columns) == {
        "id": ColumnFacts("id", "bigint", not_null=True, has_values=True, has_nulls=False),
        "name": ColumnFacts("name", "character varying(50)", False, True, "'x'::character varying", has_nulls=False),
        "gone": ColumnFacts("gone", "text", has_values=False, has_nulls=True),
        "n": ColumnFacts("n", "numeric(10,2)[]", has_values=False, has_nulls=True),
    }


def test_an_empty_table_is_proven_empty_although_it_was_never_analysed(conn):
    conn.execute("CREATE TABLE t (id int PRIMARY KEY)")
    table = read_facts(conn, ["public.t"]).tables["public.t"]
    assert (table.rows, table.has_rows, table.columns["id"].has_values) == (0, False, False)


def test_a_table_that_was_never_analysed_is_counted_and_one_that_was_is_estimated(conn):
    conn.execute(
        "CREATE TABLE t (id int) WITH (autovacuum_enabled = off); INSERT INTO t SELECT generate_series(1, 500)"
    )
    assert read_facts(conn, ["t"]).tables["public.t"].rows == 500
    conn.execute("ANALYZE t; INSERT INTO t VALUES (501)")
    assert read_facts(conn, ["t"]).tables["public.t"].rows == 500


def test_one_value_behind_many_nulls_is_found(conn):
    conn.execute("CREATE TABLE t (id int, late int); INSERT INTO t SELECT generate_series(1, 5000)")
    conn.execute("INSERT INTO t VALUES (0, 1)")
    assert read_facts(conn, ["t"]).tables["public.t"].columns["late"].has_values is True


def test_a_table_that_somebody_has_locked_is_unknown_and_not_empty(conn, database_url):
    conn.execute("CREATE TABLE t (id int)")
    with psycopg.connect(database_url) as other:
        other.execute("LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
        began = time.monotonic()
        with pytest.raises(psycopg.errors.LockNotAvailable):
            read_facts(conn, ["t"])
        assert time.monotonic() - began < 2


def test_a_spent_budget_leaves_everything_unknown(conn):
    conn.execute("CREATE TABLE t (id int NOT NULL, n int)")
    table = read_facts(conn, ["t"], statement_timeout_ms=0).tables["public.t"]
    assert (table.rows, table.has_rows) == (0, None)
    assert [column.has_values for column in table.columns.values()] == [None, None]


def test_rows_that_row_security_hides_are_unknown_and_not_absent(conn):
    conn.execute("CREATE TABLE t (id int); INSERT INTO t VALUES (1); ALTER TABLE t ENABLE ROW LEVEL SECURITY")
    conn.execute("GRANT SELECT ON t TO pg_monitor; GRANT USAGE ON SCHEMA public TO pg_monitor; SET ROLE pg_monitor")
    assert read_facts(conn, ["t"]).tables["public.t"].has_rows is None


def test_constraints_indexes_and_references_are_told(conn):
    conn.execute("CREATE TABLE parent (id int PRIMARY KEY)")
    conn.execute("CREATE TABLE t (id int PRIMARY KEY, p int CONSTRAINT to_parent REFERENCES parent, name text)")
    conn.execute("ALTER TABLE t ADD CONSTRAINT ok CHECK (id > 0) NOT VALID; CREATE INDEX low ON t (lower(name), id)")
    facts = read_facts(conn, ["t", "parent"])
    table, parent = facts.tables["public.t"], facts.tables["public.parent"]
    to_parent = next(one for one in table.constraints if one.name == "to_parent")
    assert (to_parent.kind, to_parent.columns, to_parent.references) == ("foreign", ("p",), "public.parent")
    assert [one.validated for one in table.constraints if one.name == "ok"] == [False]
    assert [(one.columns, one.unique, one.valid) for one in table.indexes if one.name == "low"] == [
        (("", "id"), False, True)
    ]
    assert parent.referenced_by == ("public.t",)
    assert parent.dependents == ("foreign key to_parent of public.t",)


def test_views_upon_views_depend_on_a_table(conn):
    conn.execute("CREATE TABLE t (id int); CREATE VIEW v AS SELECT * FROM t; CREATE MATERIALIZED VIEW m AS TABLE v")
    assert read_facts(conn, ["t"]).tables["public.t"].dependents == ("materialized view public.m", "view public.v")


def test_a_partitioned_table_is_as_large_as_its_partitions(conn):
    conn.execute("CREATE TABLE t (id int) PARTITION BY RANGE (id)")
    conn.execute(
        "CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (1000); INSERT INTO t SELECT generate_series(1, 99)"
    )
    table = read_facts(conn, ["t"]).tables["public.t"]
    assert (table.kind, table.rows, table.has_rows) == ("partitioned", 99, True)
    assert table.bytes
    assert table.dependents == ("partition public.t1",)


def test_an_index_brings_its_table_and_a_missing_name_is_known_to_be_absent(conn):
    conn.execute("CREATE TABLE t (id int); CREATE INDEX t_id ON t (id)")
    facts = read_facts(conn, ["t_id", "missing"])
    assert facts.index_owner("t_id").name == "t"
    assert facts.find("missing") is None
    assert facts.asked == {"t_id", "missing"}


def test_a_bare_name_is_looked_up_along_the_search_path(conn):
    conn.execute("CREATE SCHEMA app; CREATE SCHEMA far; CREATE TABLE app.t (); CREATE TABLE far.t ()")
    conn.execute("SET search_path = app, public")
    facts = read_facts(conn, ["t"])
    assert (list(facts.tables), facts.search_path) == (["app.t"], ("app", "public"))


def test_the_labels_of_enums_are_in_order(conn):
    conn.execute("CREATE TYPE mood AS ENUM ('sad', 'ok'); ALTER TYPE mood ADD VALUE 'new' BEFORE 'ok'")
    assert read_facts(conn, []).enum_labels("mood") == ("sad", "new", "ok")
