"""Backfills on the command line, on a real table."""

from __future__ import annotations

import psycopg
import pytest

from migrations_app.management import waiting
from migrations_app.models import Backfill, User
from migrations_app.stages import slices
from tests.doors import rows
from tests.doors.command_line import add_target, run

pytestmark = pytest.mark.django_db
FILL = ["--table=items", "--set=cents=price * 100", "--where=cents IS NULL", "--reason=because", "--as=alice", "--json"]


@pytest.fixture
def items(alice: User, database_url: str) -> str:
    """A target with a table whose new column is still empty."""
    with psycopg.connect(database_url) as conn:
        conn.execute("CREATE TABLE items (id int PRIMARY KEY, price int, cents int)")
        conn.execute("INSERT INTO items SELECT n, n FROM generate_series(1, 500) AS n")
    rows.project("shop")
    rows.environment("production")
    assert add_target(database_url).code == 0
    return database_url


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody who does what is due whenever a command waits."""

    def work(_: float) -> None:
        for backfill_id in slices.sweep():
            slices.work(backfill_id=backfill_id, owner="test")

    monkeypatch.setattr(waiting, "sleep", work)


def declare() -> Backfill:
    ran = run("backfill", "declare", "shop-production", *FILL)
    assert ran.code == 0, ran.err
    return Backfill.objects.get(pk=ran.data["id"])


def test_a_backfill_is_declared_started_and_followed_to_its_end(items: str, workers: None) -> None:
    row = declare()
    ran = run("backfill", "start", row.pk, "--wait=30", "--as=alice", "--json")
    assert (ran.code, ran.data["status"], ran.data["remaining_rows"]) == (0, "verified", 0), ran.err
    with psycopg.connect(items) as conn:
        assert conn.execute("SELECT count(*) FROM items WHERE cents = price * 100").fetchone() == (500,)


def test_a_backfill_is_paused_adjusted_resumed_and_cancelled(items: str) -> None:
    row = declare()
    moved = [run("backfill", move, row.pk, "--as=alice", "--json").data["status"] for move in ("start", "pause")]
    assert moved == ["running", "pausing"]
    assert run("backfill", "adjust", row.pk, "--chunk-ms=50", "--json").data["chunk_ms"] == 50
    assert run("backfill", "resume", row.pk).code == 6
    assert run("backfill", "cancel", row.pk, "--json").data["status"] == "cancelling"
    assert [found["id"] for found in run("backfill", "list", "--status=cancelling", "--json").data] == [row.pk]


def test_a_backfill_that_overwrites_values_waits_for_approval(items: str) -> None:
    words = [word for word in FILL if not word.startswith("--where")]
    ran = run("backfill", "declare", "shop-production", *words, "--set=price=0")
    assert (ran.code, ran.data["status"]) == (2, "awaiting_approval")
    assert run("backfill", "status", ran.data["id"]).code == 2


def test_a_backfill_of_what_is_not_there_is_not_kept(items: str) -> None:
    ran = run("backfill", "declare", "shop-production", *FILL, "--table=nothing")
    assert (ran.code, Backfill.objects.count()) == (4, 0)
    assert "nothing" in ran.err


def test_a_backfill_nobody_works_on_is_a_time_out(items: str) -> None:
    row = declare()
    ran = run("backfill", "start", row.pk, "--wait=0.1")
    assert ran.code == 7
    assert f"manage.py backfill status {row.pk} --wait 0.1" in ran.err
