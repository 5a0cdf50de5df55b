"""Two schemas have the same fingerprint when nobody could tell them apart, and only then."""

import time

import psycopg
import pytest

from migrations_app.engines.postgres.address import parse
from migrations_app.engines.postgres.connect import connect
from migrations_app.engines.postgres.fingerprint import diff, fingerprint, of_lines

SCHEMA = """
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TYPE pair AS (a int, b text);
CREATE TYPE span AS RANGE (subtype = float8);
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE SEQUENCE counter;
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE t (id bigserial PRIMARY KEY, name varchar(50) NOT NULL, n numeric(10, 2) DEFAULT 0, m mood,
                parent int REFERENCES parent, twice int GENERATED ALWAYS AS (id * 2) STORED,
                CONSTRAINT n_ok CHECK (n >= 0));
CREATE INDEX t_name ON t (name);
CREATE TABLE parts (id int) PARTITION BY RANGE (id);
CREATE TABLE part1 PARTITION OF parts FOR VALUES FROM (1) TO (10);
CREATE VIEW v AS SELECT id FROM t;
CREATE MATERIALIZED VIEW mv AS SELECT 1 AS one;
CREATE FUNCTION f(a int DEFAULT 1) RETURNS int LANGUAGE sql AS 'SELECT a';
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE AGGREGATE total(int) (sfunc = int4pl, stype = int, initcond = '0');
CREATE TRIGGER touched BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION touch();
CREATE POLICY mine ON t FOR SELECT USING (id > 0);
CREATE RULE nothing AS ON DELETE TO parent DO INSTEAD NOTHING;
CREATE STATISTICS linked (dependencies) ON id, name FROM t;
CREATE EXTENSION IF NOT EXISTS plpgsql;
"""


@pytest.fixture
def conn(database_url):
    with connect(database_url, application_name="tidegate:test") as conn:
        yield conn


@pytest.fixture
def schema(conn):
    conn.execute(SCHEMA)
    return conn


COUNTS = {
    "ALTER TABLE t ADD COLUMN a int": ["column public.t.a is new (integer, nullable)"],
    "ALTER TABLE t ALTER name TYPE varchar(60)": [
        "column public.t.name was character varying(50), not null; is character varying(60), not null"
    ],
    "ALTER TABLE t ALTER n DROP DEFAULT": [
        "column public.t.n was numeric(10,2), nullable, default 0; is numeric(10,2), nullable"
    ],
    "ALTER TABLE t ALTER name DROP NOT NULL": [
        "column public.t.name was character varying(50), not null; is character varying(50), nullable"
    ],
    'ALTER TABLE t ALTER name TYPE varchar(50) COLLATE "C"': [
        'column public.t.name was character varying(50), not null; is character varying(50), not null, collation "C"'
    ],
    "ALTER TABLE t DROP CONSTRAINT n_ok": ["constraint public.t.n_ok is gone"],
    "DROP INDEX t_name": ["index public.t.t_name is gone"],
    "ALTER TYPE mood ADD VALUE 'fine' BEFORE 'ok'": ["enum public.mood was 'sad', 'ok'; is 'sad', 'fine', 'ok'"],
    "ALTER SEQUENCE counter OWNED BY t.id": None,
    "ALTER SEQUENCE counter INCREMENT 5": None,
    "ALTER DOMAIN positive SET NOT NULL": ["domain public.positive was integer; is integer, not null"],
    "ALTER TABLE t DISABLE TRIGGER touched": None,
    "ALTER TABLE t ENABLE ROW LEVEL SECURITY": ["table public.t was without more; is row security"],
    "ALTER POLICY mine ON t USING (id > 1)": None,
    "CREATE OR REPLACE VIEW v AS SELECT id FROM t WHERE id > 1": None,
    "CREATE OR REPLACE FUNCTION f(a int DEFAULT 1) RETURNS int LANGUAGE sql AS 'SELECT a + 1'": None,
    "CREATE OR REPLACE FUNCTION f(a int DEFAULT 2) RETURNS int LANGUAGE sql AS 'SELECT a'": None,
    "ALTER TABLE parts DETACH PARTITION part1": [
        "table public.part1 was partition of public.parts FOR VALUES FROM (1) TO (10); is without more"
    ],
    "ALTER TYPE pair ALTER ATTRIBUTE b TYPE varchar": None,
    "DROP AGGREGATE total(int)": ["aggregate public.total(integer) is gone"],
    "DROP RULE nothing ON parent": ["rule public.parent.nothing is gone"],
    "DROP STATISTICS linked": ["statistics public.t.linked is gone"],
    "DROP TYPE span": None,
    "DROP MATERIALIZED VIEW mv": ["materialized view public.mv is gone"],
    "CREATE SCHEMA other": ["schema other is new"],
    "CREATE UNLOGGED TABLE u ()": ["table public.u is new (unlogged)"],
}  # fmt: skip


def test_every_change_of_the_schema_shows_and_is_told_in_words(schema, subtests):
    before = fingerprint(schema)
    for sql, words in COUNTS.items():
        with subtests.test(sql), schema.transaction(force_rollback=True):
            schema.execute(sql)
            after = fingerprint(schema)
            assert before.sha256 != after.sha256
            found = [str(one) for one in diff(before, after)]
            assert found
            assert words is None or found == words


DOES_NOT_COUNT = [
    "INSERT INTO parent VALUES (1)",
    "SELECT nextval('counter')",
    "COMMENT ON TABLE t IS 'hello'",
    "ANALYZE",
    "CREATE TEMPORARY TABLE mine (id int)",
    "CREATE SCHEMA tidegate; CREATE TABLE tidegate.heartbeat (id int); CREATE TYPE tidegate.x AS ENUM ('a')",
    "ALTER TABLE t ADD COLUMN a int; ALTER TABLE t DROP COLUMN a",
    "GRANT SELECT ON t TO PUBLIC",
    "ALTER TABLE t SET (fillfactor = 70)",
    "SET search_path = tidegate",
    "SET lc_messages = 'C'",
]


def test_what_no_revision_does_or_what_is_undone_does_not_count(schema, subtests):
    before = fingerprint(schema)
    for sql in DOES_NOT_COUNT:
        with subtests.test(sql), schema.transaction(force_rollback=True):
            schema.execute(sql)
            assert diff(before, fingerprint(schema)) == ()
            assert fingerprint(schema).sha256 == before.sha256


def test_the_order_of_columns_does_not_count(conn):
    conn.execute("CREATE TABLE t (a int, b text DEFAULT 'x', CHECK (a > 0))")
    one = fingerprint(conn)
    conn.execute("DROP TABLE t; CREATE TABLE t (b text DEFAULT 'x', a int, CHECK (a > 0))")
    assert fingerprint(conn) == one


def test_an_invalid_index_is_not_the_index(conn):
    conn.execute("CREATE TABLE t (a int); INSERT INTO t VALUES (1), (1)")
    with pytest.raises(psycopg.errors.UniqueViolation):
        conn.execute("CREATE UNIQUE INDEX CONCURRENTLY once ON t (a)")
    invalid = fingerprint(conn)
    conn.execute("DROP INDEX once; DELETE FROM t; CREATE UNIQUE INDEX once ON t (a)")
    (found,) = diff(invalid, fingerprint(conn))
    assert "invalid" in found.detail


def test_an_unvalidated_constraint_is_not_the_constraint(conn):
    conn.execute("CREATE TABLE t (a int); ALTER TABLE t ADD CONSTRAINT ok CHECK (a > 0) NOT VALID")
    before = fingerprint(conn)
    conn.execute("ALTER TABLE t VALIDATE CONSTRAINT ok")
    assert [one.object for one in diff(before, fingerprint(conn))] == ["public.t.ok"]


def test_objects_of_an_extension_count_as_the_extension_alone(conn):
    before = fingerprint(conn)
    conn.execute("CREATE EXTENSION hstore")
    assert [one.kind for one in diff(before, fingerprint(conn))] == ["extension"]


def test_a_new_table_is_one_difference_and_so_is_a_lost_one(conn):
    before = fingerprint(conn)
    conn.execute('CREATE TABLE "a.b" (id serial PRIMARY KEY, "c.d" int CHECK ("c.d" > 0))')
    after = fingerprint(conn)
    assert [str(one) for one in diff(before, after) if one.kind == "table"] == ['table public."a.b" is new']
    assert {one.kind for one in diff(after, before)} == {"table", "sequence"}


def test_an_excluded_table_does_not_count_with_anything_that_hangs_on_it(conn):
    before = fingerprint(conn)
    conn.execute("CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY CHECK (version_num > ''))")
    assert fingerprint(conn) != before
    assert fingerprint(conn, exclude_tables=["alembic_version"]) == before
    assert fingerprint(conn, exclude_tables=["public.alembic_version"]) == before
    assert fingerprint(conn, exclude_tables=["other.alembic_version"]) != before


def test_a_transaction_of_the_caller_sees_its_own_changes_and_keeps_its_search_path(conn, database_url):
    before = fingerprint(conn)
    with conn.transaction(force_rollback=True):
        conn.execute("SET LOCAL search_path = 'public'")
        conn.execute("CREATE TABLE t ()")
        assert fingerprint(conn) != before
        assert conn.execute("SHOW search_path").fetchone() == ("public",)
    assert fingerprint(conn) == before


def test_a_copy_of_the_database_has_the_same_fingerprint(schema, database_url, primary_server_url):
    taken = fingerprint(schema)
    schema.close()
    name = parse(database_url).database
    with psycopg.connect(primary_server_url, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}_copy TEMPLATE {name}")
        try:
            with connect(f"{database_url}_copy", application_name="tidegate:test") as copy:
                assert fingerprint(copy) == taken
        finally:
            admin.execute(f"DROP DATABASE {name}_copy WITH (FORCE)")


def test_lines_that_were_kept_give_the_same_fingerprint(schema):
    taken = fingerprint(schema)
    assert of_lines(reversed(taken.lines)) == taken


def test_200_tables_take_a_fraction_of_a_second(conn):
    columns = ", ".join(f"c{n} int NOT NULL DEFAULT {n}" for n in range(20))
    conn.execute("".join(f"CREATE TABLE t{n} (id bigint PRIMARY KEY, {columns});" for n in range(200)))
    began = time.monotonic()
    assert len(fingerprint(conn).lines) > 4000
    assert time.monotonic() - began < 1
