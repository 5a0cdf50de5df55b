"""Every rule has two examples: bad.sql fires it, good.sql does not, and both run on a real PostgreSQL.

The server then tells whether the lock and the rewrite that the engine claims are the true ones. A folder may bring its
own setup.sql; the others share tests/rules/setup.sql. The first line of an example may say how it is to be taken:

    -- needs: catalog       only the target's catalog can tell; without it the rule says nothing, or something else
    -- needs: catalog, bytes: 2000000000       besides, each table is taken to be of that size
    -- needs: catalog, uses: 2000000           besides, each table is taken to have been written as often in 1,000 s
    -- script               judged as a script that a person runs, not as a revision
    -- one transaction      the statements run in one transaction, as a revision does, and not in one each
    -- server: 100000       judged for this version of PostgreSQL only, and not run

Rules about a whole revision have bad.py and good.py instead: a revision file with upgrade() and downgrade(), which is
rendered without a database, judged, and run by Alembic. There "needs: catalog" is its docstring. Those about a
rehearsal are rehearsed.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
import sqlalchemy.exc

from migrations_app.engines.postgres.facts import facts_for
from migrations_app.engines.risk import reference
from migrations_app.engines.risk.facts import Facts
from migrations_app.engines.risk.locking.lock_modes import MODES
from migrations_app.engines.risk.registry import RULES
from migrations_app.engines.risk.verdict import Analysis, Judged, RevisionSql, analyse, analyse_each
from tests.rules import revision_examples

HERE = Path(__file__).parent
SQL_RULES = [id_ for id_, rule in RULES.items() if not {"@revision", "@rehearsal"} & set(rule.nodes)]
REVISION_RULES = [id_ for id_, rule in RULES.items() if "@revision" in rule.nodes]
# TRUNCATE puts a new empty file in place: a new filenode, but no row is written.
NEW_FILE = ("TRUNCATE",)
# What PostgreSQL takes outside of a transaction only.
ALONE = ("TRANSACTION", "DROP DATABASE", "VACUUM", "ALTER SYSTEM", "CREATE TABLE SPACE", "DROP TABLE SPACE")
RELATIONS = """
    SELECT c.oid, c.relfilenode FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname IN ('public', 'app')"""
LOCKS = "SELECT DISTINCT mode FROM pg_locks WHERE pid = pg_backend_pid() AND relation = ANY (%s)"


@dataclass(frozen=True)
class Example:
    """One bad.sql or good.sql with the setup that it finds in place."""

    rule: str
    kind: str

    @property
    def setup(self) -> str:
        own = HERE / self.rule / "setup.sql"
        return (own if own.exists() else HERE / "setup.sql").read_text()

    @property
    def sql(self) -> str:
        return (HERE / self.rule / f"{self.kind}.sql").read_text()

    @property
    def directive(self) -> str:
        first = self.sql.partition("\n")[0]
        return first.removeprefix("-- ") if first.startswith(("-- needs", "-- one", "-- server", "-- script")) else ""

    @property
    def is_one_transaction(self) -> bool:
        return "one transaction" in self.directive

    @property
    def needs_catalog(self) -> bool:
        return "needs: catalog" in self.directive

    @property
    def bytes(self) -> int | None:
        return int(self.directive.partition("bytes:")[2]) if "bytes:" in self.directive else None

    @property
    def uses(self) -> int | None:
        return int(self.directive.partition("uses:")[2]) if "uses:" in self.directive else None

    def changed(self, facts: Facts) -> Facts:
        """The catalog's word, but for what no test can wait for."""
        tables = facts.tables
        if self.bytes is not None:
            tables = {name: replace(table, bytes=self.bytes) for name, table in tables.items()}
        if self.uses is not None:
            tables = {name: replace(table, writes=self.uses, stats_age_s=1000.0) for name, table in tables.items()}
        return replace(facts, tables=tables)

    @property
    def server_version(self) -> int | None:
        return int(self.directive.partition("server:")[2]) if "server:" in self.directive else None

    def judged(self, facts: Facts | None = None) -> Analysis:
        """The verdict on it as a revision: by the catalog, or as one that follows the setup."""
        if self.directive == "script":
            return analyse(self.sql, facts=facts, transactional=False)
        revision = RevisionSql(self.rule, [self.sql], is_transactional=self.is_one_transaction)
        if facts is not None:
            return analyse_each([revision], facts=facts)[0]
        version = self.server_version or 150000
        return analyse_each([RevisionSql("setup", [self.setup]), revision], server_version=version)[1]


EXAMPLES = [Example(rule, kind) for rule in SQL_RULES for kind in ("bad", "good")]
STATIC = [example for example in EXAMPLES if not example.needs_catalog]
RUNNABLE = [example for example in EXAMPLES if example.server_version is None]


def ids(examples: Sequence[Example]) -> list[str]:
    return [f"{example.rule}-{example.kind}" for example in examples]


def check_findings(example: Example, analysis: Analysis) -> None:
    found = [finding for finding in analysis.findings if finding.rule == example.rule]
    if example.kind == "good":
        assert [finding.message for finding in found if finding.severity != "advice"] == []
        # Even a notice would be out of place, unless it says that there is nothing to lose.
        assert not found or RULES[example.rule].severity != "advice"
        return
    assert found
    assert RULES[example.rule].severity in {finding.severity for finding in found}
    assert all(finding.message and finding.why and finding.safe_way for finding in found)


def test_every_rule_has_its_examples_and_no_folder_is_left_over() -> None:
    folders = {path.name for path in HERE.iterdir() if path.is_dir() and not path.name.startswith("__")}
    assert folders == set(RULES)
    for rule in RULES:
        ending = "sql" if rule in SQL_RULES else "py"
        assert all((HERE / rule / f"{kind}.{ending}").read_text().strip() for kind in ("bad", "good"))


@pytest.mark.parametrize("example", STATIC, ids=ids(STATIC))
def test_the_text_alone_fires_the_bad_example_and_leaves_the_good_one_alone(example: Example) -> None:
    check_findings(example, example.judged())


@pytest.mark.parametrize("rule", [rule for rule in SQL_RULES if RULES[rule].severity == "danger"])
def test_the_good_example_of_a_danger_is_not_dangerous(rule: str) -> None:
    example = Example(rule, "good")
    only_this = [] if example.needs_catalog else [f for f in example.judged().findings if f.severity == "danger"]
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


@pytest.mark.parametrize("example", RUNNABLE, ids=ids(RUNNABLE))
def test_with_the_catalog_it_fires_too_and_postgresql_takes_the_lock_and_does_the_rewrite_that_is_claimed(
    example: Example, database: str
) -> None:
    with psycopg.connect(database, autocommit=True) as conn:
        _empty(conn)
        conn.execute(example.setup)
        conn.execute("ANALYZE")
        verdict = example.judged(example.changed(facts_for(conn, [example.sql])))
        check_findings(example, verdict)
        before = dict(conn.execute(RELATIONS).fetchall())
        refusal = None
        try:
            _run(conn, verdict, before, is_one_transaction=example.is_one_transaction)
        except psycopg.Error as error:
            refusal = error.sqlstate
    assert refusal == (verdict.fails["sqlstate"] if verdict.fails else None)


def _empty(conn: psycopg.Connection) -> None:
    """The schemas anew, and nothing left of what an earlier example made beside them."""
    conn.execute("DROP SCHEMA IF EXISTS public, app, fresh CASCADE")
    conn.execute("CREATE SCHEMA public")
    for (name,) in conn.execute("SELECT quote_ident(pubname) FROM pg_publication").fetchall():
        conn.execute(f"DROP PUBLICATION {name}")


def _run(conn: psycopg.Connection, verdict: Analysis, before: dict[int, int], *, is_one_transaction: bool) -> None:
    if not is_one_transaction:
        for statement in verdict.statements:
            _compare(conn, statement, before)
        return
    with conn.transaction():
        nodes = dict(conn.execute(RELATIONS).fetchall())
        for statement in verdict.statements:
            conn.execute(statement.sql)
        claimed = [statement.lock for statement in verdict.statements if statement.lock]
        assert max(claimed, key=MODES.index, default=None) == _strongest(conn, before)
        assert any(statement.rewrite for statement in verdict.statements) == _is_rewritten(conn, nodes, before)


def _compare(conn: psycopg.Connection, statement: Judged, before: dict[int, int]) -> None:
    if "CONCURRENTLY" in statement.sql or statement.kind in ALONE:
        conn.execute(statement.sql)
        return
    with conn.transaction():
        nodes = dict(conn.execute(RELATIONS).fetchall())
        conn.execute(statement.sql)
        strongest = _strongest(conn, before)
        is_rewritten = _is_rewritten(conn, nodes, before)
    if any(finding.rule == "opaque-code" for finding in statement.findings):
        return
    assert statement.lock == strongest, statement.sql
    assert statement.rewrite == is_rewritten or statement.kind in NEW_FILE, statement.sql


def _strongest(conn: psycopg.Connection, before: dict[int, int]) -> str | None:
    modes = {_words(mode) for (mode,) in conn.execute(LOCKS, [list(before)])}
    return max(modes, key=MODES.index, default=None)


def _is_rewritten(conn: psycopg.Connection, nodes: dict[int, int], before: dict[int, int]) -> bool:
    after = dict(conn.execute(RELATIONS).fetchall())
    return any(oid in before and after.get(oid, node) != node for oid, node in nodes.items())


def _words(mode: str) -> str:
    """AccessExclusiveLock -> ACCESS EXCLUSIVE."""
    return "".join(f" {letter}" if letter.isupper() else letter for letter in mode.removesuffix("Lock")).strip().upper()


def judged_file(rule: str, kind: str, facts: Facts | None = None) -> Analysis:
    """The verdict on a bad.py or good.py: by the catalog, or as a revision that follows the setup."""
    revision = revision_examples.read(HERE / rule / f"{kind}.py")
    if facts is not None:
        return analyse_each([revision], facts=facts)[0]
    return analyse_each([RevisionSql("setup", [Example(rule, kind).setup]), revision])[1]


@pytest.mark.parametrize("kind", ["bad", "good"])
@pytest.mark.parametrize("rule", REVISION_RULES)
def test_a_revision_file_fires_as_it_should_with_a_catalog_and_without_and_alembic_runs_it(
    rule: str, kind: str, database: str
) -> None:
    example = Example(rule, kind)
    if not (HERE / rule / f"{kind}.py").read_text().startswith('"""needs: catalog'):
        check_findings(example, judged_file(rule, kind))
    with psycopg.connect(database, autocommit=True) as conn:
        _empty(conn)
        conn.execute(example.setup)
        facts = facts_for(conn, [revision_examples.read(HERE / rule / f"{kind}.py")])
    verdict = judged_file(rule, kind, facts)
    check_findings(example, verdict)
    refusal = None
    try:
        revision_examples.upgrade(HERE / rule / f"{kind}.py", database)
    except sqlalchemy.exc.DBAPIError as error:
        refusal = getattr(error.orig, "sqlstate", None)
    assert refusal == (verdict.fails["sqlstate"] if verdict.fails else None)


def test_the_page_of_the_rules_is_the_one_that_their_texts_make() -> None:
    page = HERE.parents[1] / "docs" / "reference" / "rules.md"
    assert page.read_text() == reference.markdown()
