"""The scratch copy: the schema and the heads of a target, never a row, and gone afterwards."""

import secrets
import stat
import sys
import time
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from migrations_app.engines.postgres.address import parse
from migrations_app.engines.postgres.catalog import read_heads
from migrations_app.engines.postgres.fingerprint import fingerprint
from migrations_app.engines.rehearsal import programs, scratch
from migrations_app.engines.rehearsal.rehearse import rehearse
from migrations_app.engines.rehearsal.schema_copy import copy_schema, prepare
from migrations_app.errors import Invalid, Unprocessable
from tests.engines.histories import launch

TARGET = (
    "CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)",
    "INSERT INTO alembic_version VALUES ('abc'), ('def')",
    "CREATE TYPE mood AS ENUM ('sad', 'glad')",
    "CREATE TABLE users (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, mood mood DEFAULT 'sad', n int)",
    "ALTER TABLE users ADD CONSTRAINT positive CHECK (n > 0) NOT VALID",
    "CREATE INDEX ix ON users ((n % 7)) WHERE n > 5",
    "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'SELECT 1'; RETURN NEW; END $$",
    "CREATE TRIGGER t BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION f()",
    "CREATE VIEW glad AS SELECT id FROM users WHERE mood = 'glad'",
    "INSERT INTO users (n) SELECT i FROM generate_series(1, 50) AS i",
)


@pytest.fixture
def target(database_url):
    with psycopg.connect(database_url, autocommit=True) as connection:
        for statement in TARGET:
            connection.execute(statement)
    return parse(database_url)


@pytest.fixture
def server(target):
    return replace(target, database="postgres")


@pytest.fixture
def ask(admin_conn):
    def ask(address, query):
        return admin_conn(address.url(with_password=True)).execute(query).fetchall()

    return ask


def of(address):
    with psycopg.connect(address.url(with_password=True)) as connection:
        return fingerprint(connection)


def test_the_copy_has_the_schema_and_the_heads_but_no_row(target, server, ask):
    with copy_schema(target, server) as made:
        lines = {line for line in of(made.address).lines if "function" not in line}
        assert lines == {line for line in of(target).lines if "function" not in line}
        assert (made.fingerprint, made.notes) == (of(target).sha256, ())
        assert ask(made.address, "SELECT count(*) FROM users") == [(0,)]
        with psycopg.connect(made.address.url(with_password=True)) as connection:
            assert read_heads(connection) == ("abc", "def")


def test_the_copy_is_gone_afterwards_also_after_an_error(target, server, ask):
    names = []

    def fail():
        with copy_schema(target, server) as made:
            names.append(made.address.database)
            raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError, match="in the middle"):
        fail()
    assert ask(server, f"SELECT FROM pg_database WHERE datname = '{names[0]}'") == []


def test_what_cannot_be_copied_is_a_note_and_not_the_end(target, server, ask, admin_conn):
    role = f"{target.database}_scratch"
    admin_conn().execute(f"CREATE ROLE {role} LOGIN CREATEDB PASSWORD 'only-for-this'")
    superusers_own = "CREATE FUNCTION absolute(int) RETURNS int LANGUAGE internal AS 'int4abs'"
    admin_conn(target.url(with_password=True)).execute(superusers_own)
    try:
        with copy_schema(target, replace(server, user=role, password="only-for-this")) as made:
            (note,) = made.notes
            assert note.startswith("Not copied: CREATE FUNCTION public.absolute(integer)")
            assert "SQLSTATE 42501" in note
            assert ask(made.address, "SELECT count(*) FROM glad") == [(0,)]
    finally:
        admin_conn().execute(f"DROP ROLE {role}")


def test_settings_of_the_database_come_along_to_the_clone(target, server, ask):
    with psycopg.connect(target.url(with_password=True), autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {target.database} SET search_path = 'one', \"$user\", public")
    with copy_schema(target, server) as made, scratch.clone(made) as copy:
        assert ask(copy.address, "SHOW search_path") == [('one, "$user", public',)]


def test_a_clone_made_anew_is_as_the_source_was(target, server, ask):
    with copy_schema(target, server) as made, scratch.clone(made) as copy:
        with psycopg.connect(copy.address.url(with_password=True), autocommit=True) as connection:
            connection.execute("DROP TABLE users CASCADE")
        scratch.remake(copy, made)
        assert of(copy.address) == of(made.address)


def test_a_database_to_try_on_is_cloned_with_its_rows(target, server, ask):
    with scratch.clone_of_database(target, server) as copy:
        prepare(copy)
        assert ask(copy.address, "SELECT count(*) FROM users") == [(50,)]
        assert "rehearsed" in ask(copy.address, "SELECT prosrc FROM pg_proc WHERE proname = 'f'")[0][0]
        assert copy.has_rows


def test_scratch_databases_of_killed_workers_are_dropped_after_a_day(server, ask, admin_conn):
    day = scratch.LEFTOVER_S
    old, young = (f"{scratch.PREFIX}{int(time.time()) - age:x}_{secrets.token_hex(4)}" for age in (day + 60, day - 60))
    for name in (old, young):
        admin_conn().execute(f"CREATE DATABASE {name} TEMPLATE template0 STRATEGY file_copy")
    scratch.sweep(server)
    assert ask(server, f"SELECT datname FROM pg_database WHERE datname IN ('{old}', '{young}')") == [(young,)]
    admin_conn().execute(f"DROP DATABASE {young}")


def test_no_rehearsal_runs_on_anything_but_a_scratch_database(target, server, tmp_path):
    made = scratch.Scratch(target, server, 180000, 180000)
    with pytest.raises(Invalid, match="never runs on a target"):
        rehearse(launch(), tmp_path, made, ["r1"])


def test_the_password_is_in_no_argument_and_in_no_variable(target, server, tmp_path, monkeypatch):
    real, seen = programs.pg_dump_for(180000), tmp_path / "seen"
    fake = tmp_path / "pg_dump"
    fake.write_text(f'#!/bin/sh\n{{ echo "$@"; env; }} >> {seen}\nexec {real} "$@"\n')
    fake.chmod(fake.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(programs, "_candidates", lambda: [fake])
    with copy_schema(target, server):
        assert "--schema-only" in seen.read_text()
        assert target.password not in seen.read_text()


def test_a_target_that_cannot_be_read_is_said_in_words(target, server, admin_conn):
    admin_conn(target.url(with_password=True), autocommit=False).execute("LOCK TABLE users IN ACCESS EXCLUSIVE MODE")
    with pytest.raises(Unprocessable, match="could not be copied for a rehearsal"):
        copy_schema(target, server).__enter__()


def test_a_server_newer_than_every_pg_dump_is_said_in_words(monkeypatch):
    monkeypatch.setattr(programs, "_candidates", lambda: [Path(sys.executable)])
    with pytest.raises(Unprocessable, match="needs pg_dump 18 or newer"):
        programs.pg_dump_for(180000)
