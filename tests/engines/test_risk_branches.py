"""What upgrade() does elsewhere, or row by row: branches of other environments, loops over rows, bodies that end it."""

from __future__ import annotations

import pytest

from migrations_app.engines.risk.facts import ColumnFacts, ConstraintFacts, Facts, IndexFacts, SequenceFacts, TableFacts
from migrations_app.engines.risk.rehearsed import RehearsedRevision, RehearsedStatement
from migrations_app.engines.risk.verdict import Analysis, RevisionSql, analyse, analyse_each

USERS = TableFacts(
    "public", "users", rows=3, has_rows=True,
    columns={
        "id": ColumnFacts("id", "bigint", not_null=True, has_values=True, default="nextval('users_id_seq'::regclass)"),
        "org_id": ColumnFacts("org_id", "bigint", not_null=True, has_values=True),
        "name": ColumnFacts("name", "text", has_values=True),
    },
    indexes=(IndexFacts("users_pkey", ("id",), unique=True, primary=True),),
    constraints=(ConstraintFacts("users_org", "foreign", ("org_id",), references="public.orgs"),),
)  # fmt: skip
SEQUENCES = {"public.users_id_seq": SequenceFacts(3, owned_by="public.users.id")}
FACTS = Facts(160000, {"public.users": USERS}, sequences=SEQUENCES)


def judge(upgrade: str, rehearsed: RehearsedRevision | None = None) -> Analysis:
    body = "\n    ".join(upgrade.splitlines())
    source = f"import os\nfrom alembic import op\n\n\ndef upgrade():\n    {body}\n"
    return analyse_each([RevisionSql("a1", [], source=source, rehearsed=rehearsed)], facts=FACTS)[0]


@pytest.mark.parametrize(
    "upgrade",
    [
        "if os.environ.get('WIPE'):\n    op.execute('DELETE FROM users')",
        "if os.environ.get('KEEP'):\n    pass\nelse:\n    op.drop_table('users')",
        "if os.environ.get('KEEP'):\n    return\nop.drop_column('users', 'name')",
    ],
)
def test_the_branch_of_another_environment_is_judged_too(upgrade: str) -> None:
    verdict = judge(upgrade)
    assert verdict.dangerous
    assert "conditional-code" in verdict.hazards


@pytest.mark.parametrize(
    "upgrade",
    [
        "if os.environ.get('SEED'):\n    op.execute('INSERT INTO users (id) VALUES (9)')",
        "limit = os.environ.get('LIMIT')\nop.execute(f'DELETE FROM users WHERE id = {limit}')",
    ],
)
def test_an_environment_that_decides_nothing_dangerous_is_only_reported(upgrade: str) -> None:
    verdict = judge(upgrade)
    assert verdict.hazards == ["conditional-code"]
    assert not verdict.dangerous


@pytest.mark.parametrize(("read", "is_dangerous"), [(("public.users",), True), ((), False)])
def test_a_loop_that_reads_and_writes_every_row_is_one_update(read: tuple[str, ...], is_dangerous: bool) -> None:
    sent = tuple(RehearsedStatement(f"UPDATE users SET name = 'x' WHERE users.id = {n}::bigint") for n in (1, 2, 3))
    rehearsed = RehearsedRevision("a1", sent, read_tables=read, resolved=True)
    assert judge("pass", rehearsed).dangerous is is_dangerous


def test_a_commit_in_a_block_is_refused_inside_a_transaction() -> None:
    verdict = analyse("DO $$ BEGIN DELETE FROM users WHERE id = 1; COMMIT; END $$", facts=FACTS)
    assert verdict.to_json()["fails"]["sqlstate"] == "2D000"


def test_an_expression_of_a_body_reads_and_calls() -> None:
    body = "DO $$ DECLARE n int; BEGIN n := (SELECT count(*) FROM users); IF odd(n) THEN NULL; END IF; END $$"
    verdict = analyse(body, facts=FACTS)
    assert verdict.to_json()["lock"] == "ACCESS SHARE"
    assert verdict.hazards == ["opaque-code"]


def test_quoted_literals_are_still_literals() -> None:
    assert analyse("DO $$ BEGIN EXECUTE 'TRUNCATE ' || quote_ident('users'); END $$", facts=FACTS).hazards == [
        "truncate"
    ]


def test_restart_identity_sets_the_counter_back() -> None:
    assert "sequence-reset" in analyse("TRUNCATE users RESTART IDENTITY", facts=FACTS).hazards


def test_a_key_that_stands_before_the_old_one_goes_keeps_the_guarantee() -> None:
    added = "ALTER TABLE users ADD CONSTRAINT newer FOREIGN KEY (org_id) REFERENCES orgs NOT VALID;"
    assert not analyse(f"{added} ALTER TABLE users DROP CONSTRAINT users_org", facts=FACTS).dangerous
    assert analyse("ALTER TABLE users DROP CONSTRAINT users_org", facts=FACTS).dangerous


@pytest.mark.parametrize(("version", "hazards"), [(160000, ["enum-value-used-in-tx"]), (170000, [])])
def test_labels_of_a_new_type_wait_for_the_commit_before_17(version: int, hazards: list[str]) -> None:
    sql = (
        "CREATE TYPE tone AS ENUM ('low'); ALTER TYPE tone ADD VALUE 'high'; CREATE TABLE t (tone tone DEFAULT 'high')"
    )
    assert analyse(sql, server_version=version).hazards == hazards


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE MATERIALIZED VIEW m AS SELECT unknown_to_all() WITH NO DATA",
        "CREATE EXTENSION hstore; DROP EXTENSION hstore CASCADE",
    ],
)
def test_what_does_not_run_or_is_new_is_no_danger(sql: str) -> None:
    assert not analyse(sql, facts=FACTS).dangerous
