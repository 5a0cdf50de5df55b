"""What the rows will refuse: each case is judged by the catalog and then run, and both must say the same."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from urllib.parse import urlsplit

import psycopg
import pytest

from migrations_app.engines.postgres.facts import facts_for
from migrations_app.engines.risk.verdict import RevisionSql, analyse_each

SETUP = """
CREATE TABLE orgs (id integer PRIMARY KEY, name text);
INSERT INTO orgs VALUES (1, 'one'), (2, 'two');
CREATE TABLE people (id integer PRIMARY KEY, name text, age integer, org_id integer, note text, code text,
                     big bigint, price numeric(12, 4), full_name text NOT NULL DEFAULT '', "Odd Name" text);
INSERT INTO people VALUES (1, 'Anna', 30, 1, 'short', '12', 5, 1.5), (2, 'Anna', NULL, 9, repeat('x', 60), 'none',
                           5000000000, 12345.5), (3, 'Bob', 17, NULL, 'blank   ', NULL, NULL, NULL);
CREATE TABLE members (age integer, org_id integer);
INSERT INTO members VALUES (17, 9);
ALTER TABLE members ADD CONSTRAINT adult CHECK (age >= 18) NOT VALID;
ALTER TABLE members ADD CONSTRAINT grown CHECK (age >= 1) NOT VALID;
ALTER TABLE members ADD CONSTRAINT old_org_fkey FOREIGN KEY (org_id) REFERENCES orgs (id) NOT VALID;
CREATE TABLE nothing (id integer, name text);
CREATE DOMAIN zip AS text;
CREATE TABLE places (zip zip);
INSERT INTO places VALUES ('1234'), ('12345'), (NULL);
CREATE TABLE events (at date NOT NULL, kind text) PARTITION BY RANGE (at);
CREATE TABLE events_rest PARTITION OF events DEFAULT;
INSERT INTO events VALUES ('2026-05-01', 'a');
CREATE TABLE loose (at date NOT NULL, kind text);
INSERT INTO loose VALUES ('2025-05-01', 'a');
CREATE TABLE kinds (kind text, n integer) PARTITION BY LIST (kind);
CREATE TABLE kinds_rest PARTITION OF kinds DEFAULT;
INSERT INTO kinds VALUES ('a', 1);
CREATE VIEW names AS SELECT id, name FROM orgs;
"""
FAILS = {
    "ALTER TABLE people ALTER age SET NOT NULL": "23502",
    'ALTER TABLE people ALTER "Odd Name" SET NOT NULL': "23502",
    "ALTER TABLE people ADD COLUMN fresh text; ALTER TABLE people ALTER fresh SET NOT NULL": "23502",
    "UPDATE people SET note = 'x'; ALTER TABLE people ALTER age SET NOT NULL": "23502",
    "ALTER TABLE people ALTER code SET DEFAULT '', ALTER code SET NOT NULL": "23502",
    "ALTER TABLE people ADD UNIQUE (name)": "23505",
    "CREATE UNIQUE INDEX ux ON people (name)": "23505",
    "CREATE UNIQUE INDEX ux ON people (name) WHERE id < 3": "23505",
    "INSERT INTO people (id, name) VALUES (7, 'Eve'); ALTER TABLE people ADD UNIQUE (name)": "23505",
    "ALTER TABLE people DROP CONSTRAINT people_pkey, ADD PRIMARY KEY (name)": "23505",
    "ALTER TABLE people ADD CONSTRAINT c CHECK (length(note) < 50)": "23514",
    "ALTER TABLE people ADD CONSTRAINT c CHECK (code::integer > 0)": "22P02",
    "ALTER TABLE members VALIDATE CONSTRAINT adult": "23514",
    "ALTER TABLE members ADD CONSTRAINT a CHECK (age > 20) NOT VALID, VALIDATE CONSTRAINT a": "23514",
    "ALTER TABLE members VALIDATE CONSTRAINT old_org_fkey": "23503",
    "ALTER TABLE people ADD FOREIGN KEY (org_id) REFERENCES orgs": "23503",
    "CREATE TABLE teams (id int PRIMARY KEY); ALTER TABLE people ADD FOREIGN KEY (org_id) REFERENCES teams": "23503",
    "ALTER TABLE people ALTER note TYPE varchar(20)": "22001",
    "ALTER TABLE people ALTER big TYPE integer": "22003",
    "ALTER TABLE people ALTER price TYPE numeric(6, 2)": "22003",
    "ALTER TABLE people ALTER code TYPE integer USING code::integer": "22P02",
    "CREATE TYPE who AS ENUM ('Anna'); ALTER TABLE people ALTER name TYPE who USING name::who": "22P02",
    "ALTER DOMAIN zip ADD CONSTRAINT four CHECK (length(VALUE) = 4)": "23514",
    "ALTER DOMAIN zip SET NOT NULL": "23502",
    "CREATE TABLE e26 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')": "23514",
    "CREATE TABLE ka PARTITION OF kinds FOR VALUES IN ('a', 'b')": "23514",
    "ALTER TABLE events ATTACH PARTITION loose FOR VALUES FROM ('2024-01-01') TO ('2025-01-01')": "23514",
}
WORKS = (
    "UPDATE people SET age = 0 WHERE age IS NULL; ALTER TABLE people ALTER age SET NOT NULL",
    "DELETE FROM people WHERE age IS NULL; ALTER TABLE people ALTER age SET NOT NULL",
    "DO $$ BEGIN EXECUTE 'UPDATE people SET age = 0'; END $$; ALTER TABLE people ALTER age SET NOT NULL",
    "ALTER TABLE people ADD COLUMN fresh text DEFAULT ''; ALTER TABLE people ALTER fresh SET NOT NULL",
    "ALTER TABLE people ADD COLUMN c text; UPDATE people SET c = ''; ALTER TABLE people ALTER c SET NOT NULL",
    "ALTER TABLE nothing ALTER name SET NOT NULL",
    "CREATE TABLE new (id integer); ALTER TABLE new ALTER id SET NOT NULL; ALTER TABLE new ADD UNIQUE (id)",
    "ALTER TABLE people ADD UNIQUE (code); ALTER TABLE people ADD UNIQUE (id, name)",
    "CREATE UNIQUE INDEX ux ON people (name) WHERE id > 1",
    "UPDATE people SET name = name || id; ALTER TABLE people ADD UNIQUE (name)",
    "ALTER TABLE people ADD CONSTRAINT c CHECK (length(note) < 61)",
    "ALTER TABLE people ADD CONSTRAINT c CHECK (length(note) < 50) NOT VALID",
    "ALTER TABLE members VALIDATE CONSTRAINT grown",
    "INSERT INTO orgs VALUES (9, 'nine'); ALTER TABLE people ADD FOREIGN KEY (org_id) REFERENCES orgs",
    "ALTER TABLE people ADD FOREIGN KEY (org_id) REFERENCES orgs NOT VALID",
    "ALTER TABLE people ALTER note TYPE varchar(60)",
    "ALTER TABLE people ALTER note TYPE varchar(20) USING left(note, 20)",
    "ALTER TABLE people ALTER price TYPE numeric(9, 2)",
    "UPDATE people SET code = '0' WHERE code = 'none'; ALTER TABLE people ALTER code TYPE integer USING code::integer",
    "ALTER DOMAIN zip ADD CONSTRAINT few CHECK (length(VALUE) < 9)",
    "CREATE TABLE e27 PARTITION OF events FOR VALUES FROM ('2027-01-01') TO ('2028-01-01')",
    "CREATE TABLE kb PARTITION OF kinds FOR VALUES IN ('b', 'c')",
    "ALTER TABLE events ATTACH PARTITION loose FOR VALUES FROM ('2025-01-01') TO ('2026-01-01')",
    "ALTER TABLE people RENAME age TO years; ALTER TABLE people ADD CONSTRAINT c CHECK (years > 0)",
)  # fmt: skip
CASES = [*FAILS.items(), *((sql, None) for sql in WORKS)]


@pytest.fixture(scope="module")
def database(primary_server_url: str) -> Iterator[str]:
    """One for all cases, each of which is rolled back: far quicker than a database each."""
    name = f"t_trials_{secrets.token_hex(4)}"
    with psycopg.connect(primary_server_url, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        yield urlsplit(primary_server_url)._replace(path=f"/{name}").geturl()
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.parametrize(("sql", "sqlstate"), CASES, ids=[sql for sql, _ in CASES])
def test_the_verdict_foresees_what_the_rows_refuse(database: str, sql: str, sqlstate: str | None) -> None:
    with psycopg.connect(database) as conn:
        conn.execute(SETUP)
        (analysis,) = analyse_each([RevisionSql("r", [sql])], facts=facts_for(conn, [sql]))
        refused = None
        try:
            conn.execute(sql.encode())
        except psycopg.Error as error:
            refused = error.sqlstate
        conn.rollback()
    found = [finding for finding in analysis.findings if finding.rule == "will-fail-on-data"]
    assert refused == sqlstate
    assert [finding.fails for finding in found] == ([sqlstate] if sqlstate else [])


def test_a_unique_index_that_is_built_concurrently_says_that_it_leaves_an_invalid_one_behind(database_url: str) -> None:
    sql = "CREATE UNIQUE INDEX CONCURRENTLY ux ON people (name)"
    with psycopg.connect(database_url, autocommit=True) as conn:
        conn.execute(SETUP)
        revision = RevisionSql("r", [sql], is_transactional=False)
        (analysis,) = analyse_each([revision], facts=facts_for(conn, [revision]))
        with pytest.raises(psycopg.errors.UniqueViolation):
            conn.execute(sql)
        left = conn.execute("SELECT indisvalid FROM pg_index WHERE indexrelid = 'ux'::regclass").fetchone()
    (finding,) = [finding for finding in analysis.findings if finding.rule == "will-fail-on-data"]
    assert (finding.fails, left) == ("23505", (False,))
    assert "INVALID" in finding.why
