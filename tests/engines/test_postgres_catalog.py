"""Which database answers, and which revisions it is at."""

import psycopg
import pytest

from migrations_app.engines.postgres.address import parse
from migrations_app.engines.postgres.catalog import (
    VersionTable,
    has_tables,
    identity,
    invalid_indexes,
    list_version_tables,
    read_heads,
)
from migrations_app.engines.postgres.connect import connect
from migrations_app.errors import Unprocessable


@pytest.fixture
def conn(database_url):
    with connect(database_url, application_name="tidegate:test") as conn:
        yield conn


def version_table(conn, *versions, name="alembic_version"):
    conn.execute(f"CREATE TABLE {name} (version_num varchar(32) PRIMARY KEY)")
    for version in versions:
        conn.execute(f"INSERT INTO {name} VALUES (%s)", [version])


def test_a_primary_says_who_it_is(conn, database_url):
    who = identity(conn)
    assert who.database == parse(database_url).database
    assert who.system_identifier.isdigit()
    assert (who.timeline, who.is_standby) == (1, False)
    assert who.server_version == conn.info.server_version
    assert (
        who.database_oid == conn.execute("SELECT oid FROM pg_database WHERE datname = %s", [who.database]).fetchone()[0]
    )


def test_a_replica_is_the_same_database_and_a_standby(conn, replica_url):
    with connect(replica_url, application_name="tidegate:test") as replica:
        there, here = identity(replica), identity(conn)
    assert there.is_standby
    assert (there.system_identifier, there.database_oid) == (here.system_identifier, here.database_oid)


def test_no_version_table_is_not_the_same_as_an_empty_one(conn):
    assert read_heads(conn) is None
    version_table(conn)
    assert read_heads(conn) == ()


def test_several_heads_are_sorted(conn):
    version_table(conn, "c3", "a1", "b2")
    assert read_heads(conn) == ("a1", "b2", "c3")


def test_a_version_table_in_a_schema_of_its_own_is_found_only_there(conn):
    conn.execute('CREATE SCHEMA "Odd ""one"')
    version_table(conn, "a1", name='"Odd ""one"."my versions"')
    assert read_heads(conn, version_table="my versions", schema='Odd "one') == ("a1",)
    assert read_heads(conn, version_table="my versions") is None
    assert read_heads(conn, version_table="my versions", schema="missing") is None


def test_without_a_schema_the_search_path_decides(conn):
    conn.execute("CREATE SCHEMA app")
    version_table(conn, "old")
    version_table(conn, "new", name="app.alembic_version")
    conn.execute("SET search_path = app, public")
    assert read_heads(conn) == ("new",)


def test_a_table_of_another_make_is_refused_by_name(conn):
    conn.execute("CREATE TABLE alembic_version (id int)")
    with pytest.raises(Unprocessable, match=r"public\.alembic_version has no column version_num"):
        read_heads(conn)


def test_a_version_table_that_we_may_not_read_is_an_error_and_not_absent(conn):
    version_table(conn, "a1")
    conn.execute("SET ROLE pg_monitor")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        read_heads(conn)


def test_every_version_table_is_listed_and_nothing_else(conn):
    conn.execute("CREATE SCHEMA app; CREATE TABLE other (version_num text, more text)")
    version_table(conn)
    version_table(conn, name="app.versions")
    conn.execute("ALTER TABLE app.versions ADD COLUMN gone int; ALTER TABLE app.versions DROP COLUMN gone")
    assert list_version_tables(conn) == (VersionTable("app", "versions"), VersionTable("public", "alembic_version"))


def test_an_application_has_tables_and_an_extension_or_tidegate_alone_has_not(conn):
    conn.execute("CREATE SCHEMA tidegate; CREATE TABLE tidegate.heartbeat (); CREATE EXTENSION hstore")
    assert not has_tables(conn)
    version_table(conn)
    assert has_tables(conn)


def test_an_index_whose_building_failed_is_listed_as_invalid(conn):
    conn.execute("CREATE TABLE t (id int); INSERT INTO t VALUES (1), (1); CREATE INDEX fine ON t (id)")
    with pytest.raises(psycopg.errors.UniqueViolation):
        conn.execute("CREATE UNIQUE INDEX CONCURRENTLY once ON t (id)")
    assert invalid_indexes(conn) == ("once",)
