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
from migrations_app.stages import execute, rollout
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
