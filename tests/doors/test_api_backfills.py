"""Backfills, as they are declared, watched and steered."""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from migrations_app.models import Backfill, Environment, Project, Sample, Target, User
from tests.doors import rows
from tests.doors.conftest import MaxQueries, keyed

PATH = "/api/v1/backfills/"


@pytest.fixture
def target(shop: Project, production: Environment) -> Target:
    return rows.target("prod-1", shop, production)


@pytest.fixture
def running(alice: User, target: Target) -> Backfill:
    progress = {"rows_done": 250, "rows_scanned": 250, "rows_estimated": 1000, "throttle_reason": "r1 lags 3 s"}
    return rows.backfill(alice, target, status="running", **progress)


def test_a_backfill_says_how_far_it_is_and_what_holds_it_back(as_carol: APIClient, running: Backfill) -> None:
    body = as_carol.get(f"{PATH}{running.pk}/").json()
    assert (body["rows_done"], body["rows_estimated"], body["fraction"]) == (250, 1000, 0.25)
    assert body["throttle"] == {"active": True, "reason": "r1 lags 3 s"}
    assert (body["guarantee"], body["remaining_rows"], body["eta_s"]) == ("exactly_once", None, None)
    assert body["set"] == {"total_cents": "total * 100"}


def test_its_limits_change_while_it_runs(as_alice: APIClient, running: Backfill) -> None:
    answer = as_alice.patch(f"{PATH}{running.pk}/", {"max_lag_s": 5, "chunk_ms": 200})
    assert (answer.status_code, answer.json()["max_lag_s"], answer.json()["chunk_ms"]) == (200, 5, 200)
    answer = as_alice.patch(f"{PATH}{running.pk}/", {"table": "other"})
    assert answer.json()["errors"][0]["pointer"] == "/table"


def test_a_pause_is_asked_for_and_goes_on_by_itself(as_alice: APIClient, running: Backfill) -> None:
    answer = as_alice.post(f"{PATH}{running.pk}/pause/", **keyed())
    assert (answer.status_code, answer.json()["status"]) == (202, "pausing")
    answer = as_alice.post(f"{PATH}{running.pk}/start/", **keyed())
    assert (answer.status_code, answer.json()["code"]) == (409, "illegal_transition")


def test_somebody_else_approves_it(as_bob: APIClient, as_alice: APIClient, alice: User, target: Target) -> None:
    row = rows.backfill(alice, target)
    body = {"digest": row.digest}
    assert as_alice.post(f"{PATH}{row.pk}/approve/", body).json()["code"] == "self_approval"
    assert as_bob.post(f"{PATH}{row.pk}/approve/", body).json()["status"] == "approved"


def test_its_samples_are_points_in_order(as_carol: APIClient, running: Backfill) -> None:
    for rows_done in (100, 250):
        Sample.objects.create(backfill=running, rows_done=rows_done, chunk_rows=100, throttled=False)
    found = as_carol.get(f"{PATH}{running.pk}/samples/").json()
    assert [point["rows_done"] for point in found] == [100, 250]
    assert set(found[0]) == {"at", "rows_done", "rows_per_s", "lag_s", "chunk_rows", "throttled"}


def test_an_unknown_target_is_a_wrong_field(as_alice: APIClient) -> None:
    body = {"target": "none", "table": "t", "set": {"a": "1"}, "reason": "x"}
    answer = as_alice.post(PATH, body, **keyed())
    assert answer.json()["errors"] == [{"pointer": "/target", "detail": "There is no target none."}]


def test_an_empty_set_is_refused(as_alice: APIClient, target: Target) -> None:
    answer = as_alice.post(PATH, {"target": "prod-1", "table": "t", "set": {}, "reason": "x"}, **keyed())
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/set"]


def test_the_list_costs_the_same_for_many(
    as_carol: APIClient,
    alice: User,
    target: Target,
    django_assert_max_num_queries: MaxQueries,
) -> None:
    for status in ["verified"] * 9 + ["running"]:
        rows.backfill(alice, target, status=status)
    with django_assert_max_num_queries(5):
        assert len(as_carol.get(f"{PATH}?status=verified&target=prod-1").json()["results"]) == 9
