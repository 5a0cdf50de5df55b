"""What may be declared, and with which pointer and words the rest is refused."""

import secrets

import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from migrations_app.engines.backfill import tables
from migrations_app.engines.backfill.definition import Definition, check, set_pointer
from migrations_app.engines.backfill.sample import sample
from migrations_app.errors import Invalid
from tests.engines.backfill_scene import checked, go, numbers


@pytest.fixture
def conn(database_url, admin_conn):
    return admin_conn(database_url)


@pytest.fixture
def people(conn):
    conn.execute("""
        CREATE TABLE people (id bigint PRIMARY KEY, email text, maybe int UNIQUE, age int,
            seq int GENERATED ALWAYS AS IDENTITY, twice int GENERATED ALWAYS AS (age * 2) STORED);
        CREATE TABLE keyless (n int); CREATE VIEW a_view AS SELECT 1 AS n;
        CREATE MATERIALIZED VIEW a_store AS SELECT 1 AS n;
        CREATE TABLE parent (id int PRIMARY KEY, n int); CREATE TABLE child () INHERITS (parent);
        INSERT INTO people (id, email, age) SELECT g, 'P' || g, g FROM generate_series(1, 30) g;
    """)
    return conn


REFUSED = [
    (Definition("peeple", {"age": "1"}), "/table", "no table 'peeple' in this database. Did you mean people?"),
    (Definition("People", {"age": "1"}), "/table", "Did you mean people?"),
    (Definition("other.people", {"age": "1"}), "/table", "no table 'other.people'"),
    (Definition("", {"age": "1"}), "/table", "Name the table"),
    (Definition("a\x00", {"age": "1"}), "/table", "NUL"),
    (Definition("\ud800", {"age": "1"}), "/table", "half a character"),
    (Definition("a_view", {"n": "1"}), "/table", "a view"),
    (Definition("a_store", {"n": "1"}), "/table", "a materialized view"),
    (Definition("pg_catalog.pg_class", {"relname": "1"}), "/table", "belong to PostgreSQL"),
    (Definition("keyless", {"n": "1"}), "/table", "Add a primary key, or a unique index over NOT NULL columns"),
    (Definition("parent", {"n": "1"}), "/table", "inherit"),
    (Definition("people", {}), "/set", "at least one column"),
    (Definition("people", {"emial": "1"}), "/set/emial", "no column 'emial'. Did you mean email?"),
    (Definition("people", {"ctid": "1"}), "/set/ctid", "no column"),
    (Definition("people", {"a/b~c": "1"}), "/set/a~1b~0c", "no column"),
    (Definition("people", {"twice": "1"}), "/set/twice", "generated"),
    (Definition("people", {"seq": "1"}), "/set/seq", "IDENTITY"),
    (Definition("people", {"id": "id + 1"}), "/set/id", "belongs to the key"),
    (Definition("people", {"age": "1 +"}), "/set/age", "not one SQL expression"),
    (Definition("people", {"age": " "}), "/set/age", "is empty"),
    (Definition("people", {"age": "1\x00"}), "/set/age", "NUL"),
    (Definition("people", {"age": "\ud800"}), "/set/age", "half a character"),
    (Definition("people", {"age": "'x'"}), "/set/age", "invalid input syntax for type integer"),
    (Definition("people", {"age": "now()"}), "/set/age", "is of type integer but expression is of type timestamp"),
    (Definition("people", {"age": "agee"}), "/set/age", 'column "agee" does not exist'),
    (Definition("people", {"age": "nosuch(1)"}), "/set/age", "function nosuch(integer) does not exist"),
    (Definition("people", {"age": "count(*)"}), "/set/age", "aggregate"),
    (Definition("people", {"age": "$1"}), "/set/age", "parameter"),
    (Definition("people", {"age": "1; DROP TABLE people"}), "/set/age", "several statements"),
    (Definition("people", {"age": "1, email = 'x'"}), "/set/age", "2 expressions"),
    (Definition("people", {"age": "1 FROM people"}), "/set/age", "adds a clause"),
    (Definition("people", {"age": "1 UNION SELECT 2"}), "/set/age", "adds a clause"),
    (Definition("people", {"age": "1 AS x"}), "/set/age", "a name"),
    (Definition("people", {"age": "1) WHERE (true"}), "/set/age", "not one SQL expression"),
    (Definition("people", {"age": "1 /*"}), "/set/age", "not one SQL expression"),
    (Definition("people", {"age": "1"}, where="DEFAULT"), "/where", "DEFAULT is not allowed"),
    (Definition("people", {"age": "1"}, where="age >"), "/where", "not one SQL expression"),
    (Definition("people", {"age": "1"}, where="true) OR (true"), "/where", "not one SQL expression"),
    (Definition("people", {"age": "1"}, where=""), "/where", "is empty"),
    (Definition("people", {"age": "1"}, where="age"), "/where", "must be type boolean"),
    (Definition("people", {"age": "1"}, key=("nope",)), "/key", "no column 'nope'"),
    (Definition("people", {"age": "1"}, key=("email",)), "/key", "not a unique key"),
    (Definition("people", {"age": "1"}, key=("maybe",)), "/key", "may be NULL"),
    (Definition("people", {"age": "1"}, key=()), "/key", "leave key out"),
    (Definition("people", {"age": "1"}, key=("id", "id")), "/key", "once"),
]


def test_each_refusal_points_at_its_field_and_says_why(people):
    for definition, pointer, words in REFUSED:
        with pytest.raises(Invalid) as refusal:
            check(people, definition)
        assert [error.pointer for error in refusal.value.errors] == [pointer], definition
        assert words in refusal.value.detail, definition
    assert people.execute("SELECT count(*), sum(age) FROM people").fetchone() == (30, 465)
    assert people.info.transaction_status == psycopg.pq.TransactionStatus.IDLE


def test_all_wrong_fields_are_told_at_once(people):
    with pytest.raises(Invalid) as refusal:
        checked(people, "people", where="agee > 1", email="1 + 'x'", age="nosuch")
    assert [error.pointer for error in refusal.value.errors] == ["/set/email", "/set/age", "/where"]


def test_a_good_definition_says_what_it_will_touch(people):
    found = checked(people, "people", where="email <> lower(email)", email="lower(email)")
    assert (found.table, found.key.names, found.rows_estimated, found.rows_exact) == (
        "public.people",
        ("id",),
        30,
        True,
    )
    assert (found.guarantee, found.is_countable, found.warnings) == ("exactly_once", True, ())
    assert found.bytes > 0
    assert found.table_oid == people.execute("SELECT 'people'::regclass::oid").fetchone()[0]


def test_checking_writes_nothing_and_calls_nothing(people):
    people.execute("CREATE SEQUENCE s")
    checked(people, "people", age="nextval('s')::int", where="nextval('s') > 0")
    assert people.execute("SELECT is_called FROM s").fetchone() == (False,)
    assert people.execute("SELECT to_regnamespace('tidegate')").fetchone() == (None,)


def test_what_costs_or_surprises_is_warned_of(people):
    people.execute("""
        CREATE INDEX ON people (age); ALTER TABLE people ENABLE ROW LEVEL SECURITY;
        CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
        CREATE TRIGGER g BEFORE UPDATE ON people FOR EACH ROW EXECUTE FUNCTION f()""")
    found = checked(people, "people", age="(SELECT 3) + random()::int").warnings
    for words in ("random() gives another value", "subquery", "age is indexed", "UPDATE triggers", "row security"):
        assert any(words in warning for warning in found), words


@pytest.fixture
def small_role(people, admin_conn, database_url):
    """A session of a role with no right but to read and change people, and to read parent."""
    name = f"small_{secrets.token_hex(4)}"
    people.execute(f"CREATE ROLE {name}; GRANT SELECT, UPDATE ON people TO {name}; GRANT SELECT ON parent TO {name}")
    session = admin_conn(database_url)
    session.execute(f"SET ROLE {name}")
    yield session
    session.close()
    people.execute(f"DROP OWNED BY {name}; DROP ROLE {name}")


def test_a_role_that_may_not_create_the_schema_gets_at_least_once(small_role):
    found = checked(small_role, "people", age="1")
    assert found.guarantee == "at_least_once"
    assert "Grant CREATE on the database" in found.warnings[0]


def test_a_role_that_may_not_update_is_told_what_to_grant(people, small_role):
    people.execute("DROP TABLE child")
    with pytest.raises(Invalid, match="grant it SELECT and UPDATE"):
        checked(small_role, "parent", n="1")


@pytest.mark.parametrize("analysed", [True, False])
def test_a_large_table_is_estimated_whether_analysed_or_not(conn, monkeypatch, analysed):
    numbers(conn, 20_000)
    if analysed:
        conn.execute("ANALYZE t")
    monkeypatch.setattr("migrations_app.engines.backfill.sizes.COUNT_BELOW_BYTES", 500_000)
    found = checked(conn, "t", n="1")
    assert (found.rows_exact, found.rows_estimated) == (False, pytest.approx(20_000, rel=0.05 if analysed else 0.5))


def test_percent_signs_and_comments_survive(conn):
    numbers(conn, 20)
    what = checked(
        conn, "t", where="id % 2 = 0 AND coalesce(note, '') NOT LIKE '%s%%' /* %b */", note="'100 %s' || id % 7 -- %d"
    )
    assert sample(conn, what, 1).rows[0].after == {"note": "100 %s2"}
    assert go(conn, what).rows == 10
    assert conn.execute("SELECT note FROM t WHERE id = 8").fetchone() == ("100 %s1",)


NAMES = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), min_size=1, max_size=20).filter(
    lambda name: len(name.encode()) <= 63 and name.strip() and name != "id"
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(NAMES, NAMES)
@example('x"; DROP TABLE people; --', "%s")
@example("select", "user")
@example("ü" * 31, "a.b/c~d")
@example('"quoted"', "$1")
@example("%(x)s", "{}")
def test_any_name_that_the_catalog_has_works(conn, table, column):
    with conn.transaction(force_rollback=True):
        name = psycopg.sql.Identifier
        create = psycopg.sql.SQL("CREATE TABLE {} (id int PRIMARY KEY, {} int)").format(name(table), name(column))
        conn.cursor().execute(create.as_bytes(conn))
        found = tables.find(conn, table)
        assert found.name == table
        what = check(conn, Definition(table, {column: "id % 2"}))
        assert sample(conn, what).rows == ()


def test_names_are_found_plain_qualified_and_quoted(conn):
    conn.execute('CREATE SCHEMA "My App"; CREATE TABLE "My App"."T.x" (id int); CREATE TABLE "a.b" (id int)')
    for written in ("My App.T.x", '"My App"."T.x"'):
        assert tables.find(conn, written).name == "T.x"
    assert tables.find(conn, "a.b").schema == "public"


def test_a_name_with_two_readings_is_refused(conn):
    conn.execute('CREATE SCHEMA a; CREATE TABLE a.b (id int); CREATE TABLE "a.b" (id int)')
    with pytest.raises(Invalid, match="write the one you mean with quotes"):
        tables.find(conn, "a.b")
    assert tables.find(conn, '"a"."b"').schema == "a"
    assert tables.find(conn, '"a.b"').schema == "public"


def test_a_name_longer_than_63_bytes_does_not_match_its_stump(conn):
    conn.execute(f"CREATE TABLE {'a' * 63} (id int)")
    with pytest.raises(Invalid):
        tables.find(conn, "a" * 64)


def test_pointers_escape_as_rfc_6901_says():
    assert set_pointer("a/b~c") == "/set/a~1b~0c"
