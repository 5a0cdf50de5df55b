"""The whole way of a change through the API, on a real target: proposed, approved, run, and proven."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from django.conf import settings
from rest_framework.test import APIClient

from migrations_app.models import TargetPlan
from migrations_app.stages import execute, rollout, slices
from tests.doors.conftest import keyed


@pytest.fixture
def demo(as_dora: APIClient, database_url: str) -> None:
    """The demo's shop, registered on an empty database, by an admin."""
    recipe = {"python": [sys.executable], "url": {"env": ["SHOP_DATABASE_URL"], "ini": False}}
    source = {"kind": "path", "path": str(settings.BASE_DIR / "demo" / "shop")}
    target = {"slug": "shop-dev", "project": "demo", "environment": "dev", "url": database_url}
    for path, body in (
        ("environments", {"name": "dev"}),
        ("projects", {"slug": "demo", "source": source, **recipe}),
        ("targets", target),
    ):
        answer = as_dora.post(f"/api/v1/{path}/", body)
        assert answer.status_code == 201, answer.json()


def propose(client: APIClient, to: str) -> dict[str, Any]:
    body = {"project": "demo", "targets": ["shop-dev"], "to": to, "reason": "the next release needs it"}
    answer = client.post("/api/v1/rollouts/", body, **keyed(to))
    assert answer.status_code == 201, answer.json()
    told: dict[str, Any] = answer.json()
    return told


def work(rollout_id: str) -> None:
    """What the workers would do, here and now."""
    for plan in TargetPlan.objects.filter(rollout=rollout_id):
        execute.run(plan_id=plan.pk, owner="test")
    rollout.progress(rollout_id=rollout_id)


def test_a_change_goes_from_a_proposal_to_the_target(
    demo: None, as_machine: APIClient, database_url: str, admin_conn: Callable[[str], psycopg.Connection]
) -> None:
    told = propose(as_machine, "0002")
    assert (told["status"], told["dangerous"], told["approvals"]["required"]) == ("approved", False, 0)
    started = as_machine.post(f"/api/v1/rollouts/{told['id']}/start/", **keyed())
    assert (started.status_code, started.json()["status"]) == (202, "running")
    work(told["id"])
    ended = as_machine.get(f"/api/v1/rollouts/{told['id']}/?wait=30").json()
    assert (ended["status"], ended["final"]) == ("succeeded", True), ended["reason"]
    assert [(step["revision"], step["status"]) for step in ended["steps"]] == [
        ("0001", "verified"),
        ("0002", "verified"),
    ]
    target = as_machine.get("/api/v1/targets/shop-dev/").json()
    assert target["current"] == ["0002"]
    assert as_machine.get("/api/v1/targets/shop-dev/drift/").json()["drifted"] is False
    assert admin_conn(database_url).execute("SELECT count(*) FROM orders").fetchone() == (0,)


def test_a_second_proposal_of_the_same_key_is_the_first(demo: None, as_alice: APIClient) -> None:
    assert propose(as_alice, "0001")["id"] == propose(as_alice, "0001")["id"]
    assert len(as_alice.get("/api/v1/rollouts/").json()["results"]) == 1


def test_a_revision_that_nobody_knows_is_refused(demo: None, as_alice: APIClient) -> None:
    body = {"project": "demo", "targets": ["shop-dev"], "to": "zz", "reason": "x"}
    answer = as_alice.post("/api/v1/rollouts/", body, **keyed())
    assert (answer.status_code, answer.json()["code"]) == (422, "unknown_revision")


def test_a_backfill_goes_from_its_declaration_to_the_last_row(
    demo: None, as_alice: APIClient, database_url: str, admin_conn: Callable[[str], psycopg.Connection]
) -> None:
    conn = admin_conn(database_url)
    conn.execute("CREATE TABLE notes (id bigint PRIMARY KEY, body text NOT NULL, size int)")
    conn.execute("INSERT INTO notes SELECT n, repeat('x', n % 7) FROM generate_series(1, 500) n")
    body = {"target": "shop-dev", "table": "notes", "set": {"size": "length(body)"}, "where": "size IS NULL"}
    told = as_alice.post("/api/v1/backfills/", {**body, "reason": "the report reads it"}, **keyed())
    assert (told.status_code, told.json()["status"]) == (201, "approved"), told.json()
    path = f"/api/v1/backfills/{told.json()['id']}/"
    assert as_alice.post(f"{path}start/", **keyed()).json()["status"] == "running"
    while slices.work(backfill_id=told.json()["id"], owner="test"):
        pass
    ended = as_alice.get(f"{path}?wait=30").json()
    assert (ended["status"], ended["fraction"], ended["rows_done"]) == ("verified", 1.0, 500), ended["reason"]
    assert ended["remaining_rows"] == 0
    assert conn.execute("SELECT count(*) FROM notes WHERE size = length(body)").fetchone() == (500,)


def test_a_backfill_that_cannot_work_is_refused_with_its_pointer(demo: None, as_alice: APIClient) -> None:
    body = {"target": "shop-dev", "table": "nowhere", "set": {"size": "1"}, "reason": "x"}
    answer = as_alice.post("/api/v1/backfills/", body, **keyed())
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/table")
