"""Rehearsals of whole plans: what a downgrade leaves, what was really sent, what nothing proves."""

import json
import secrets
from dataclasses import replace

import psycopg
import pytest

from migrations_app.engines.postgres.address import parse
from migrations_app.engines.rehearsal.rehearse import rehearse
from migrations_app.engines.rehearsal.schema_copy import copy_schema
from migrations_app.engines.rehearsal.session import Bounds
from migrations_app.engines.risk.rehearsed import Rehearsal
from tests.engines.rehearsals import rehearsed, written
from tests.engines.rehearsals.plan import PLAN, SHOP

READERS = ("select", "returning", "cursor", "rows_block")
HARMLESS = ("block", "inspector", "locks", "function", "concurrently", "values", "unread", "select", "program")


@pytest.fixture(scope="module")
def scratch(primary_server_url):
    """The copy of one target for all tests here: a rehearsal leaves it as it is."""
    server = parse(primary_server_url)
    with psycopg.connect(primary_server_url, autocommit=True) as admin:
        name = f"t_{secrets.token_hex(6)}"
        admin.execute(f"CREATE DATABASE {name} TEMPLATE template0 STRATEGY file_copy")
        target = replace(server, database=name)
        with psycopg.connect(target.url(with_password=True), autocommit=True) as connection:
            for statement in SHOP:
                connection.execute(statement)
        with copy_schema(target, server) as made:
            yield made
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="module")
def whole(scratch, tmp_path_factory):
    return rehearsed(tmp_path_factory.mktemp("plan"), scratch, PLAN, env="per_revision")


@pytest.fixture(scope="module")
def plan(whole):
    return whole.by_id


def test_every_revision_is_tried_up_down_and_up_again_whatever_the_others_do(whole):
    assert [r.revision for r in whole.revisions] == list(PLAN)
    assert {r.revision for r in whole.revisions if not r.downgrade_tried} == set()
    assert {r.revision for r in whole.revisions if not r.upgraded_again} == {"raises"}
    assert whole.notes == ()


@pytest.mark.parametrize("revision", HARMLESS)
def test_a_downgrade_that_takes_back_what_was_done_leaves_nothing(plan, revision):
    found = plan[revision]
    assert (found.differences, found.again_differences) == ((), ())
    assert (found.up_error, found.down_error, found.again_error) == (None, None, None)


def test_a_forgotten_index_is_said_and_stops_the_second_upgrade(plan):
    assert plan["index"].differences == (
        "index public.users.ix is new (CREATE INDEX ix ON public.users USING btree (email))",
    )
    assert (plan["index"].down, plan["index"].again_error.sqlstate) == ((), "42P07")


def test_another_length_of_a_type_is_said(plan):
    was, now = "character varying(50), nullable", "character varying(60), nullable"
    assert plan["length"].differences == (f"column public.users.email was {was}; is {now}",)


def test_a_forgotten_default_is_said(plan):
    was = "text, nullable, default 'none'::text"
    assert plan["default"].differences == (f"column public.users.nick was {was}; is text, nullable",)


def test_an_enum_type_that_stays_behind_stops_the_second_upgrade(plan):
    assert plan["enum"].differences == ("enum public.kind is new ('a', 'b')",)
    assert plan["enum"].again_error.sqlstate == "42710"
    assert plan["enum"].again_error.where == "migrations/versions/enum.py:7"


def test_a_downgrade_that_raises_is_told_with_its_words(plan):
    refusal = plan["raises"].down_error
    assert (refusal.type, refusal.message, refusal.sqlstate) == ("RuntimeError", "never", None)


def test_locks_new_tables_and_rewrites_are_those_of_the_server(plan):
    created, truncated, altered, renamed = plan["locks"].up
    assert created.locks == {"public.items": "ACCESS EXCLUSIVE", "public.users": "SHARE ROW EXCLUSIVE"}
    assert created.new_tables == ("public.items",)
    assert (truncated.locks, truncated.rewritten) == ({"public.orders": "ACCESS EXCLUSIVE"}, ())
    assert (altered.locks["public.users"], altered.rewritten) == ("ACCESS EXCLUSIVE", ("public.users",))
    assert renamed.locks == {"public.notes": "ACCESS EXCLUSIVE"}


def test_python_that_asks_the_inspector_becomes_plain_statements(plan):
    sent = [s.sql for s in plan["inspector"].up if s.sql.startswith("ALTER")]
    assert sent == ["ALTER TABLE orders ADD COLUMN looked boolean", "ALTER TABLE users ADD COLUMN looked boolean"]
    assert (plan["inspector"].read_tables, plan["inspector"].resolved) == ((), True)


def test_what_a_do_block_puts_together_becomes_plain_statements(plan):
    block, *inner = plan["block"].up
    assert block.sql.startswith("DO $$ DECLARE")
    assert [(s.sql, s.dynamic) for s in inner] == [
        ("ALTER TABLE orders ADD COLUMN seen boolean", True),
        ("ALTER TABLE users ADD COLUMN seen boolean", True),
    ]
    assert block.locks == {"public.orders": "ACCESS EXCLUSIVE", "public.users": "ACCESS EXCLUSIVE"}
    assert plan["block"].resolved


def test_a_function_of_the_target_tells_what_it_runs(plan):
    assert [s.sql for s in plan["function"].up] == ["SELECT wipe('orders')", "TRUNCATE orders"]
    assert plan["function"].resolved


@pytest.mark.parametrize("revision", READERS)
def test_code_that_reads_rows_is_not_resolved(plan, revision):
    found = plan[revision]
    assert (found.read_tables, found.resolved) == (("public.users",), False)
    assert "the copy has none" in found.why_not


def test_rows_that_nobody_looks_at_decide_nothing(plan):
    assert (plan["unread"].read_tables, plan["unread"].resolved) == ((), True)


def test_values_are_written_into_the_statements(plan):
    assert [s.sql for s in plan["values"].up] == ["UPDATE users SET email = 'it''s 5 %' WHERE id = 7"]


def test_statements_of_an_autocommit_block_are_marked(plan):
    (statement,) = plan["concurrently"].up
    assert (statement.autocommit, statement.locks) == (True, {})


def test_a_started_program_is_not_resolved(plan):
    assert (plan["program"].resolved, plan["program"].why_not) == (False, "it starts another program (true)")


def test_a_rehearsal_can_be_kept_as_json(whole):
    assert Rehearsal.from_json(json.loads(json.dumps(whole.to_json()))) == whole


def test_after_a_failed_upgrade_the_others_are_still_judged(scratch, tmp_path):
    plan = {"a": ("op.create_index('ix', 'users', ['age'])", ""), "b": ("op.drop_table('no')", ""), "c": ("", "")}
    found = rehearsed(tmp_path, scratch, plan).by_id
    assert (found["b"].up_error.sqlstate, found["b"].up[0].sqlstate) == ("42P01", "42P01")
    assert len(found["a"].differences) == 1
    assert found["c"].why_not == "it was not reached: the upgrade of b before it failed"


def test_a_revision_that_hangs_ends_with_words(scratch, tmp_path):
    plan = {"a": ("import time; time.sleep(60)", "")}
    refusal = rehearsed(tmp_path, scratch, plan, bounds=Bounds(run_wall_s=3)).revisions[0].up_error
    assert refusal.message == "it had not come to its end after 3 s, and was killed"


def test_a_statement_that_waits_for_a_lock_of_its_own_run_ends_with_words(scratch, tmp_path):
    up = "op.drop_column('users', 'age')\nwith sa.create_engine(op.get_bind().engine.url).connect() as c:\n"
    plan = {"a": (up + "    c.execute(sa.text('SELECT age FROM users'))", "")}
    refusal = rehearsed(tmp_path, scratch, plan, bounds=Bounds(lock_timeout_ms=200)).revisions[0].up_error
    assert refusal.sqlstate == "55P03"


def test_a_merge_of_two_branches_is_rehearsed(scratch, tmp_path):
    plan = {
        "a1": ("op.add_column('users', sa.Column('a', sa.Integer))", "op.drop_column('users', 'a')", None),
        "b1": ("op.add_column('users', sa.Column('b', sa.Integer))", "op.drop_column('users', 'b')", None),
        "m": ("op.drop_column('users', 'age')", "op.add_column('users', sa.Column('age', sa.Integer))", ("a1", "b1")),
    }
    found = rehearsed(tmp_path, scratch, plan)
    assert [(r.differences, r.again_error, r.upgraded_again) for r in found.revisions] == [((), None, True)] * 3


def test_a_plan_that_begins_in_the_middle_is_rehearsed_from_there(database_url, tmp_path):
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)")
        connection.execute("INSERT INTO alembic_version VALUES ('a')")
        connection.execute("CREATE TABLE items (id int)")
    project = written(
        tmp_path, {"a": ("raise RuntimeError", "raise RuntimeError"), "b": ("op.drop_table('items')", "")}
    )
    target = parse(database_url)
    with copy_schema(target, replace(target, database="postgres")) as copy:
        (found,) = rehearse(project.launch, project.bundle, copy, ["b"]).revisions
    assert found.up[0].locks == {"public.items": "ACCESS EXCLUSIVE"}
    assert found.differences == ("table public.items is gone",)
    assert found.again_error.sqlstate == "42P01"


def test_an_async_env_py_is_rehearsed_too(scratch, tmp_path):
    plan = {name: PLAN[name] for name in ("block", "select", "cursor")}
    found = rehearsed(tmp_path, scratch, plan, env="async_env").by_id
    assert [(s.sql, s.dynamic) for s in found["block"].up[1:]] == [
        ("ALTER TABLE orders ADD COLUMN seen boolean", True),
        ("ALTER TABLE users ADD COLUMN seen boolean", True),
    ]
    assert found["select"].read_tables == ("public.users",)
    assert found["cursor"].why_not == "it uses a cursor of the driver, which Tidegate cannot follow there"
