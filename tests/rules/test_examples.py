"""Every rule has two examples: bad.sql fires it, good.sql does not, and both run on a real PostgreSQL.

The server then tells whether the lock and the rewrite that the engine claims are the true ones. A folder may bring its
own setup.sql; the others share tests/rules/setup.sql.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from migrations_app.engines.risk import reference
from migrations_app.engines.risk.lock_modes import MODES
from migrations_app.engines.risk.registry import RULES
from migrations_app.engines.risk.verdict import Analysis, Judged, RevisionSql, analyse_each

HERE = Path(__file__).parent
EXAMPLES = [(rule, kind) for rule in RULES for kind in ("bad", "good")]
# TRUNCATE puts a new empty file in place: a new filenode, but no row is written.
NEW_FILE = ("TRUNCATE",)
RELATIONS = """
    SELECT c.oid, c.relfilenode FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm') AND n.nspname IN ('public', 'app')"""
LOCKS = "SELECT DISTINCT mode FROM pg_locks WHERE pid = pg_backend_pid() AND relation = ANY (%s)"


def example(rule: str, kind: str) -> tuple[str, str]:
    own = HERE / rule / "setup.sql"
    return (own if own.exists() else HERE / "setup.sql").read_text(), (HERE / rule / f"{kind}.sql").read_text()


def judged(rule: str, kind: str) -> Analysis:
    """The verdict on the example as a revision that follows the setup."""
    setup, sql = example(rule, kind)
    return analyse_each([RevisionSql("setup", [setup]), RevisionSql(rule, [sql], is_transactional=False)])[1]


def test_every_rule_has_its_examples_and_no_folder_is_left_over() -> None:
    folders = {path.name for path in HERE.iterdir() if path.is_dir() and not path.name.startswith("__")}
    assert folders == set(RULES)
    assert all((HERE / rule / f"{kind}.sql").read_text().strip() for rule, kind in EXAMPLES)


@pytest.mark.parametrize("rule", RULES)
def test_the_bad_example_fires_its_rule(rule: str) -> None:
    found = [finding for finding in judged(rule, "bad").findings if finding.rule == rule]
    assert found
    assert {finding.severity for finding in found} == {RULES[rule].severity}
    assert all(finding.message and finding.why and finding.safe_way for finding in found)


@pytest.mark.parametrize("rule", RULES)
def test_the_good_example_does_not(rule: str) -> None:
    assert [finding.message for finding in judged(rule, "good").findings if finding.rule == rule] == []


@pytest.mark.parametrize("rule", [rule for rule in RULES if RULES[rule].severity == "danger"])
def test_the_good_example_of_a_danger_is_not_dangerous(rule: str) -> None:
    only_this = [finding for finding in judged(rule, "good").findings if finding.severity == "danger"]
    # What replaces TRUNCATE ... CASCADE is still a TRUNCATE.
    assert not only_this or rule == "truncate-cascade"


@pytest.fixture(scope="module")
def database(primary_server_url: str) -> Iterator[str]:
    """One database for all examples, each of which begins with empty schemas: far quicker than a database each."""
    name = f"t_rules_{secrets.token_hex(4)}"
    with psycopg.connect(primary_server_url, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        yield urlsplit(primary_server_url)._replace(path=f"/{name}").geturl()
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.parametrize(("rule", "kind"), EXAMPLES)
def test_postgresql_takes_the_lock_and_does_the_rewrite_that_is_claimed(rule: str, kind: str, database: str) -> None:
    verdict = judged(rule, kind)
    with psycopg.connect(database, autocommit=True) as conn:
        conn.execute("DROP SCHEMA IF EXISTS public, app, fresh CASCADE")
        conn.execute("CREATE SCHEMA public")
        conn.execute(example(rule, kind)[0])
        before = dict(conn.execute(RELATIONS).fetchall())
        refusal = None
        try:
            for statement in verdict.statements:
                _compare(conn, statement, before)
        except psycopg.Error as error:
            refusal = error.sqlstate
    foreseen = verdict.fails["sqlstate"] if verdict.fails else None
    assert refusal == foreseen or _fails_on_data(rule, kind)


def _fails_on_data(rule: str, kind: str) -> bool:
    """Without a catalog the engine cannot know that the table holds a row."""
    return (rule, kind) == ("add-column-not-null-no-default", "bad")


def _compare(conn: psycopg.Connection, statement: Judged, before: dict[int, int]) -> None:
    if "CONCURRENTLY" in statement.sql or statement.kind in ("TRANSACTION", "DROP DATABASE"):
        conn.execute(statement.sql)
        return
    with conn.transaction():
        nodes = dict(conn.execute(RELATIONS).fetchall())
        conn.execute(statement.sql)
        modes = {_words(mode) for (mode,) in conn.execute(LOCKS, [list(before)])}
        after = dict(conn.execute(RELATIONS).fetchall())
    strongest = max(modes, key=MODES.index, default=None)
    if any(finding.rule == "opaque-code" for finding in statement.findings):
        return
    assert statement.lock == strongest, statement.sql
    rewritten = {oid for oid, node in nodes.items() if oid in before and after.get(oid, node) != node}
    assert statement.rewrite == bool(rewritten) or statement.kind in NEW_FILE, statement.sql


def _words(mode: str) -> str:
    """AccessExclusiveLock -> ACCESS EXCLUSIVE."""
    return "".join(f" {letter}" if letter.isupper() else letter for letter in mode.removesuffix("Lock")).strip().upper()


def test_the_page_of_the_rules_is_the_one_that_their_texts_make() -> None:
    page = HERE.parents[1] / "docs" / "reference" / "rules.md"
    assert page.read_text() == reference.markdown()
