"""Which tables the facts hold for a name: its own, and those that stand or fall with it."""

import psycopg
import pytest

from migrations_app.engines.postgres import facts_scope
from migrations_app.engines.postgres.connect import connect
from migrations_app.engines.postgres.facts import read_facts


@pytest.fixture
def conn(database_url):
    with connect(database_url, application_name="tidegate:test", lock_timeout_ms=100) as conn:
        yield conn


def tables(conn, *names):
    return set(read_facts(conn, names).tables)


def test_a_view_brings_what_it_reads_with_all_that_a_named_table_is_told_of(conn):
    conn.execute("CREATE TABLE t (id int, gone text); INSERT INTO t VALUES (1)")
    conn.execute("CREATE VIEW v AS SELECT * FROM t; CREATE VIEW w AS SELECT id FROM v")
    facts = read_facts(conn, ["w"])
    assert set(facts.tables) == {"public.w", "public.v", "public.t"}
    assert (facts.find("w").reads, facts.find("v").reads) == (("public.v",), ("public.t",))
    assert "FROM v" in facts.find("w").view_definition
    assert facts.find("t").columns["gone"].has_values is False


def test_foreign_keys_bring_parents_and_all_generations_of_children(conn):
    conn.execute("CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY REFERENCES a)")
    conn.execute("CREATE TABLE c (id int PRIMARY KEY REFERENCES b); CREATE TABLE d (id int REFERENCES c)")
    conn.execute("CREATE TABLE other (id int)")
    assert tables(conn, "b") == {"public.a", "public.b", "public.c", "public.d"}
    assert read_facts(conn, ["b"]).find("d").has_rows is False


def test_a_partition_brings_its_parent_and_the_default_partition(conn):
    conn.execute("CREATE TABLE p (id int) PARTITION BY RANGE (id)")
    conn.execute("CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (9); CREATE TABLE rest PARTITION OF p DEFAULT")
    facts = read_facts(conn, ["p1"])
    assert set(facts.tables) == {"public.p", "public.p1", "public.rest"}
    assert (facts.find("p").partition_key, facts.find("p").default_partition) == ("RANGE (id)", "public.rest")
    assert facts.find("p").partitions == ("public.p1", "public.rest")
    assert facts.find("p1").partition_of == "public.p"
    assert [facts.find(name).partition_bound for name in ("p1", "rest")] == ["FOR VALUES FROM (0) TO (9)", "DEFAULT"]


def test_partitions_are_read_up_to_a_bound_and_what_is_named_always(conn, monkeypatch):
    monkeypatch.setattr(facts_scope, "MOST_RELATED", 2)
    conn.execute("CREATE TABLE p (id int) PARTITION BY RANGE (id)")
    for n in range(5):
        conn.execute(f"CREATE TABLE p{n} PARTITION OF p FOR VALUES FROM ({n}) TO ({n + 1})".encode())
    assert len(tables(conn, "p")) == 3
    assert {f"public.p{n}" for n in range(5)} < tables(conn, "p", *(f"p{n}" for n in range(5)))


def test_a_type_brings_the_tables_with_columns_of_it_of_its_arrays_and_of_domains_over_it(conn):
    conn.execute("CREATE TYPE mood AS ENUM ('ok'); CREATE DOMAIN steady AS mood; CREATE TYPE unused AS ENUM ('x')")
    conn.execute(
        "CREATE TABLE a (m mood); CREATE TABLE b (m mood[]); CREATE TABLE c (m steady); CREATE TABLE d (n int)"
    )
    assert tables(conn, "mood") == {"public.a", "public.b", "public.c"}
    assert tables(conn, "unused") == set()


def test_an_extension_brings_the_tables_with_columns_of_its_types(conn):
    conn.execute("CREATE EXTENSION citext; CREATE TABLE t (email citext); CREATE TABLE other (email text)")
    assert tables(conn, "citext") == {"public.t"}


def test_a_sequence_brings_its_owner_and_the_tables_whose_defaults_draw_from_it(conn):
    conn.execute("CREATE TABLE t (id serial); CREATE TABLE u (id int DEFAULT nextval('t_id_seq'))")
    assert tables(conn, "t_id_seq") == {"public.t", "public.u"}


def test_a_function_brings_the_tables_of_its_triggers_and_those_in_its_body(conn):
    conn.execute("CREATE TABLE t (id int); CREATE TABLE log (id int); CREATE TABLE other (id int)")
    conn.execute(
        "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS "
        "'BEGIN INSERT INTO log VALUES (NEW.id); RETURN NEW; END'"
    )
    conn.execute("CREATE TRIGGER note AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION note()")
    assert tables(conn, "note") == {"public.t", "public.log"}


def test_a_dropped_schema_brings_everything_in_it(conn):
    conn.execute("CREATE SCHEMA sales; CREATE TABLE sales.t (id serial); CREATE VIEW sales.v AS TABLE sales.t")
    conn.execute("CREATE FUNCTION sales.f() RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE SCHEMA bare")
    facts = read_facts(conn, ["sales.*", "bare.*", "missing.*"])
    assert set(facts.tables) == {"sales.t", "sales.v"}
    assert facts.schemas == {
        "sales": ("function sales.f()", "sequence sales.t_id_seq", "table sales.t", "view sales.v"),
        "bare": (),
    }


def test_catalogs_are_read_only_when_they_are_named(conn):
    conn.execute("CREATE VIEW v AS SELECT relname FROM pg_class")
    assert tables(conn, "v") == {"public.v"}
    assert "pg_catalog.pg_enum" in tables(conn, "pg_catalog.pg_enum")


def test_a_name_with_a_dot_in_it_is_found(conn):
    conn.execute('CREATE TABLE "odd.name" (id int)')
    assert [table.name for table in read_facts(conn, ["odd.name"]).tables.values()] == ["odd.name"]


def test_a_related_table_that_somebody_has_locked_is_unknown_and_nothing_waits_for_it(conn, database_url):
    conn.execute("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE child (id int REFERENCES t)")
    with psycopg.connect(database_url) as other:
        other.execute("LOCK TABLE child IN ACCESS EXCLUSIVE MODE")
        facts = read_facts(conn, ["t"])
    assert set(facts.tables) == {"public.t"}
    assert facts.find("t").referenced_by == ("public.child",)
