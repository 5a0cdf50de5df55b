"""What runs without standing in the statement: loops, cursors, functions, triggers and views of a real catalog."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from urllib.parse import urlsplit

import psycopg
import pytest

from migrations_app.engines.postgres.facts import facts_for
from migrations_app.engines.risk.verdict import Analysis, analyse

SETUP = """
    CREATE TABLE users (id bigint PRIMARY KEY, name text, age int, active boolean NOT NULL);
    INSERT INTO users SELECT g, 'user ' || g, g, true FROM generate_series(1, 30) AS g;
    CREATE TABLE visits (id bigint PRIMARY KEY, user_id bigint);
    INSERT INTO visits VALUES (1, 1);
    CREATE TABLE cache (id bigint PRIMARY KEY, user_id bigint);
    INSERT INTO cache VALUES (1, 1);
    CREATE TABLE banned (user_id bigint);
    CREATE VIEW everybody AS SELECT id, name FROM users;
    CREATE VIEW kids AS SELECT id, name FROM users WHERE age < 9;
    CREATE VIEW above AS SELECT * FROM everybody;
    CREATE FUNCTION flush() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN DELETE FROM cache; RETURN NEW; END $$;
    CREATE TRIGGER flush_cache BEFORE INSERT ON visits FOR EACH ROW EXECUTE FUNCTION flush();
    CREATE FUNCTION forget() RETURNS trigger LANGUAGE plpgsql
        AS $$ BEGIN DELETE FROM cache WHERE user_id = OLD.user_id; RETURN OLD; END $$;
    CREATE TRIGGER forget_cache AFTER DELETE ON visits FOR EACH ROW EXECUTE FUNCTION forget();
    CREATE FUNCTION purge(kept int) RETURNS void LANGUAGE sql AS 'SELECT 1';
    CREATE FUNCTION purge(kept int, really boolean) RETURNS void LANGUAGE sql AS 'DELETE FROM users';
    CREATE FUNCTION tidy(days int DEFAULT 7, OUT gone int) LANGUAGE plpgsql AS $$ BEGIN DELETE FROM users; END $$;
    CREATE FUNCTION atomic() RETURNS void LANGUAGE sql BEGIN ATOMIC DELETE FROM users; END;
    CREATE PROCEDURE wipe(INOUT n int) LANGUAGE plpgsql AS $$ BEGIN DELETE FROM users; END $$;
    CREATE FUNCTION outer_one() RETURNS void LANGUAGE plpgsql AS $$ BEGIN PERFORM atomic(); END $$;
    CREATE TYPE mood AS ENUM ('good');
    CREATE TABLE counted (id serial PRIMARY KEY, mood mood);
    INSERT INTO counted VALUES (DEFAULT, 'good');
    CREATE TABLE pointing (counted_id int REFERENCES counted);
    CREATE SCHEMA inner_one;
    CREATE TABLE inner_one.t (id serial);
    INSERT INTO inner_one.t DEFAULT VALUES;
    CREATE FUNCTION count_users() RETURNS bigint LANGUAGE sql STABLE AS 'SELECT count(*) FROM users';
"""

DESTROYS = [
    "DO $$ DECLARE r record; BEGIN FOR r IN SELECT id FROM users LOOP"
    " DELETE FROM users WHERE id = r.id; END LOOP; END $$",
    "DO $$ DECLARE k bigint; BEGIN FOR k IN SELECT id FROM users ORDER BY id LOOP"
    " DELETE FROM users WHERE id = k; END LOOP; END $$",
    "DO $$ DECLARE r record; c CURSOR FOR SELECT * FROM users FOR UPDATE; BEGIN"
    " FOR r IN c LOOP DELETE FROM users WHERE CURRENT OF c; END LOOP; END $$",
    "DO $$ DECLARE r record; c CURSOR FOR SELECT * FROM users; BEGIN OPEN c; LOOP FETCH c INTO r;"
    " EXIT WHEN NOT FOUND; DELETE FROM users WHERE CURRENT OF c; END LOOP; END $$",
    "INSERT INTO visits VALUES (2, 1)",
    "SELECT purge(1, true)",
    "SELECT tidy()",
    "SELECT * FROM tidy(3)",
    "SELECT atomic()",
    "SELECT outer_one()",
    "CALL wipe(1)",
    "DELETE FROM everybody",
    "DELETE FROM above",
    "DELETE FROM users WHERE id IN (SELECT id FROM banned)",
    "DELETE FROM users WHERE coalesce(active, true) = active",
]

SPARES = [
    "DO $$ DECLARE r record; BEGIN FOR r IN SELECT id FROM users WHERE age < 9 LOOP"
    " DELETE FROM users WHERE id = r.id; END LOOP; END $$",
    "DO $$ DECLARE r record; BEGIN FOR r IN SELECT * FROM users LOOP IF r.age < 9 THEN"
    " DELETE FROM users WHERE id = r.id; END IF; END LOOP; END $$",
    "DO $$ DECLARE r record; BEGIN FOR r IN SELECT * FROM users LOOP CONTINUE WHEN r.age > 9;"
    " DELETE FROM users WHERE id = r.id; END LOOP; END $$",
    "DO $$ DECLARE r record; c CURSOR FOR SELECT * FROM users WHERE id = 3; BEGIN"
    " FOR r IN c LOOP DELETE FROM users WHERE CURRENT OF c; END LOOP; END $$",
    "DO $$ DECLARE r record; BEGIN FOR r IN SELECT id FROM visits LOOP"
    " DELETE FROM users WHERE id = r.id; END LOOP; END $$",
    "DO $$ BEGIN IF false THEN DELETE FROM users; END IF; END $$",
    "DELETE FROM visits WHERE id = 1",
    "UPDATE visits SET user_id = 2 WHERE id = 1",
    "SELECT purge(1)",
    "SELECT count_users()",
    "DELETE FROM kids",
    "DELETE FROM users WHERE id IN (SELECT user_id FROM banned)",
    "PREPARE wipe AS DELETE FROM users; DEALLOCATE wipe",
]


@pytest.fixture(scope="module")
def target(primary_server_url: str) -> Iterator[str]:
    """One database for all, for what is run is rolled back."""
    name = f"t_hidden_{secrets.token_hex(4)}"
    url = urlsplit(primary_server_url)._replace(path=f"/{name}").geturl()
    with psycopg.connect(primary_server_url, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        with psycopg.connect(url, autocommit=True) as conn:
            conn.execute(SETUP)
        yield url
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


def judged(target: str, sql: str) -> Analysis:
    with psycopg.connect(target, autocommit=True) as conn:
        return analyse(sql, facts=facts_for(conn, [sql]))


@pytest.mark.parametrize("sql", DESTROYS)
def test_what_empties_a_table_is_found_wherever_it_hides(target: str, sql: str) -> None:
    assert "delete-all-rows" in {finding.rule for finding in judged(target, sql).findings}


@pytest.mark.parametrize("sql", SPARES)
def test_what_spares_rows_is_not_taken_for_emptying_the_table(target: str, sql: str) -> None:
    found = judged(target, sql)
    assert [finding.message for finding in found.findings if finding.severity == "danger"] == []


@pytest.mark.parametrize(
    ("sql", "sqlstate"),
    [
        ("DROP SEQUENCE counted_id_seq", "2BP01"),
        ("ALTER TABLE counted ALTER COLUMN id DROP DEFAULT; DROP SEQUENCE counted_id_seq", None),
        ("TRUNCATE counted", "0A000"),
        ("TRUNCATE counted, pointing", None),
        ("TRUNCATE counted CASCADE", None),
        ("DROP TYPE mood", "2BP01"),
        ("ALTER TABLE counted DROP COLUMN mood; DROP TYPE mood", None),
        ("DROP SCHEMA inner_one", "2BP01"),
        ("DROP TABLE inner_one.t; DROP SCHEMA inner_one", None),
        ("DROP INDEX counted_pkey", "2BP01"),
        ("ALTER TABLE counted DROP CONSTRAINT counted_pkey", "2BP01"),
        ("DROP TABLE pointing; ALTER TABLE counted DROP CONSTRAINT counted_pkey", None),
    ],
)
def test_what_postgresql_refuses_is_foreseen(target: str, sql: str, sqlstate: str | None) -> None:
    fails = judged(target, sql).fails
    assert (fails["sqlstate"] if fails else None) == sqlstate
    with psycopg.connect(target, autocommit=True) as conn, conn.transaction(force_rollback=True):
        refused = None
        try:
            conn.execute(sql)
        except psycopg.Error as error:
            refused = error.sqlstate
    assert refused == sqlstate
