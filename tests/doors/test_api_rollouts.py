"""Rollouts, as people and pipelines see and decide on them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from rest_framework.test import APIClient

from migrations_app.models import Environment, Project, Rollout, Target, User
from tests.doors import rows
from tests.doors.conftest import MaxQueries, keyed

PATH = "/api/v1/rollouts/"


@pytest.fixture
def target(shop: Project, production: Environment) -> Target:
    return rows.target("prod-1", shop, production)


@pytest.fixture
def rollout(alice: User, target: Target) -> Rollout:
    return rows.rollout(alice, target)


def decide(client: APIClient, rollout: Rollout, verb: str = "approve", **body: str) -> tuple[int, str]:
    answer = client.post(f"{PATH}{rollout.pk}/{verb}/", {"digest": rollout.digest, **body})
    return answer.status_code, answer.json().get("code") or answer.json()["status"]


def test_a_rollout_says_what_it_waits_for_and_where_to_decide(as_bob: APIClient, rollout: Rollout) -> None:
    body = as_bob.get(f"{PATH}{rollout.pk}/").json()
    assert (body["status"], body["final"], body["purpose"]) == ("awaiting_approval", False, "tidy up")
    assert body["approval_url"] == f"http://testserver/rollouts/{rollout.pk}/"
    approvals = body["approvals"]
    assert (approvals["required"], approvals["given"], approvals["may_approve"]) == (1, [], True)
    step = body["steps"][0]
    assert (step["target"], step["kind"], step["revision"], step["status"]) == ("prod-1", "revision", "b2", "planned")


def test_its_author_reads_why_somebody_else_must_decide(as_alice: APIClient, rollout: Rollout) -> None:
    approvals = as_alice.get(f"{PATH}{rollout.pk}/").json()["approvals"]
    assert approvals["may_approve"] is False
    assert "author" in approvals["why_not"]


def test_the_plan_shows_exact_sql_findings_and_locks(as_carol: APIClient, rollout: Rollout) -> None:
    body = as_carol.get(f"{PATH}{rollout.pk}/plan/").json()
    assert body["digest"] == rollout.digest
    place = body["targets"][0]
    assert (place["target"], place["from"], place["to"]) == ("prod-1", ["a1"], ["b2"])
    step = place["steps"][0]
    assert step["sql"] == ["DROP TABLE old"]
    assert step["findings"][0]["rule"] == "drop-table"
    assert step["locks"][0]["lock"] == "ACCESS EXCLUSIVE"
    assert {"opaque", "estimate_s", "rehearsal"} <= set(step)


def test_an_approval_by_somebody_else_is_kept_with_its_comment(as_bob: APIClient, rollout: Rollout) -> None:
    assert decide(as_bob, rollout, comment="looks right") == (200, "approved")
    given = as_bob.get(f"{PATH}{rollout.pk}/").json()["approvals"]["given"][0]
    assert (given["by"], given["decision"], given["comment"]) == ("bob", "approve", "looks right")
    assert given["at"].endswith("Z")


def test_a_digest_that_was_not_looked_at_is_stale(as_bob: APIClient, rollout: Rollout) -> None:
    assert decide(as_bob, rollout, digest="sha256:other") == (409, "stale")


def test_nobody_approves_their_own(client_of: Callable[..., APIClient], alice: User, rollout: Rollout) -> None:
    assert decide(client_of(alice), rollout) == (403, "self_approval")


def test_a_machine_never_approves(as_machine: APIClient, rollout: Rollout) -> None:
    assert decide(as_machine, rollout) == (403, "machine")
    assert decide(as_machine, rollout, "reject", comment="no") == (403, "machine")


def test_a_rejection_needs_a_comment(as_bob: APIClient, rollout: Rollout) -> None:
    assert decide(as_bob, rollout, "reject") == (400, "invalid")
    assert decide(as_bob, rollout, "reject", comment="not on a Friday") == (200, "rejected")


def test_what_is_not_approved_cannot_start(as_alice: APIClient, rollout: Rollout) -> None:
    answer = as_alice.post(f"{PATH}{rollout.pk}/start/", **keyed())
    assert (answer.status_code, answer.json()["code"]) == (409, "illegal_transition")


def test_a_start_is_accepted_and_says_where_to_watch(
    as_alice: APIClient, alice: User, bob: User, target: Target
) -> None:
    rollout = rows.approved_by(bob, rows.rollout(alice, target, status="approved"))
    answer = as_alice.post(f"{PATH}{rollout.pk}/start/", **keyed())
    assert (answer.status_code, answer.json()["status"]) == (202, "running")
    assert answer["Location"].endswith(f"{PATH}{rollout.pk}/")
    assert as_alice.post(f"{PATH}{rollout.pk}/start/", **keyed()).json() == answer.json()


def test_a_cancel_of_what_has_not_begun_is_done_at_once(as_alice: APIClient, rollout: Rollout) -> None:
    answer = as_alice.post(f"{PATH}{rollout.pk}/cancel/", **keyed())
    assert (answer.status_code, answer.json()["status"], answer.json()["final"]) == (200, "cancelled", True)


def test_a_viewer_steers_nothing(as_carol: APIClient, rollout: Rollout) -> None:
    assert as_carol.post(f"{PATH}{rollout.pk}/cancel/", **keyed()).status_code == 403


def test_a_rollout_that_is_not_there_is_404(as_alice: APIClient) -> None:
    for path in ("rol_none/", "rol_none/plan/"):
        assert as_alice.get(f"{PATH}{path}").status_code == 404
    assert as_alice.post(f"{PATH}rol_none/start/", **keyed()).status_code == 404


def test_unknown_targets_are_told_each_with_its_pointer(as_alice: APIClient, target: Target) -> None:
    body = {"project": "shop", "targets": ["prod-1", "none"], "reason": "x"}
    answer = as_alice.post(PATH, body, **keyed())
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/targets/1"]


def test_a_time_without_a_zone_is_refused(as_alice: APIClient, target: Target) -> None:
    body = {"project": "shop", "targets": ["prod-1"], "reason": "x", "not_before": "2030-01-01T00:00:00"}
    answer = as_alice.post(PATH, body, **keyed())
    assert answer.json()["errors"][0]["pointer"] == "/not_before"
    assert "zone" in answer.json()["detail"]


def test_the_list_filters_and_costs_the_same_for_many(
    as_carol: APIClient,
    alice: User,
    target: Target,
    django_assert_max_num_queries: MaxQueries,
) -> None:
    for status in ["succeeded"] * 9 + ["running"]:
        rows.rollout(alice, target, status=status)
    with django_assert_max_num_queries(5):
        found = as_carol.get(f"{PATH}?status=succeeded&target=prod-1&project=shop").json()["results"]
    assert len(found) == 9
    assert [row["id"] for row in found] == sorted((row["id"] for row in found), reverse=True)


def test_one_with_many_targets_costs_no_query_for_each(
    as_carol: APIClient,
    alice: User,
    shop: Project,
    production: Environment,
    django_assert_max_num_queries: MaxQueries,
) -> None:
    many = rows.rollout(alice, *[rows.target(f"prod-{number}", shop, production) for number in range(20)])
    with django_assert_max_num_queries(9):
        assert len(as_carol.get(f"{PATH}{many.pk}/").json()["steps"]) == 20
    with django_assert_max_num_queries(6):
        assert len(as_carol.get(f"{PATH}{many.pk}/plan/").json()["targets"]) == 20
