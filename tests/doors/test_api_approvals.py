"""What waits for the caller, and only that."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

from migrations_app.models import Environment, Project, Target, User
from tests.doors import rows

PATH = "/api/v1/approvals/"


@pytest.fixture
def target(shop: Project, production: Environment) -> Target:
    return rows.target("prod-1", shop, production)


def ids(client: APIClient) -> list[Any]:
    return [item["id"] for item in client.get(PATH).json()["results"]]


def test_rollouts_and_backfills_wait_in_one_list_oldest_first(as_bob: APIClient, alice: User, target: Target) -> None:
    first, second = rows.rollout(alice, target), rows.backfill(alice, target)
    rows.rollout(alice, target, status="running")
    found = as_bob.get(PATH).json()["results"]
    assert {(item["kind"], item["id"]) for item in found} == {("rollout", first.pk), ("backfill", second.pk)}
    assert [item["created_at"] for item in found] == sorted(item["created_at"] for item in found)
    assert found[0]["approval_url"].startswith("http://testserver/")


def test_each_is_on_one_page_whatever_its_kind(as_bob: APIClient, alice: User, target: Target) -> None:
    expected = [rows.rollout(alice, target).pk for _ in range(2)] + [rows.backfill(alice, target).pk for _ in range(2)]
    found, url = [], f"{PATH}?limit=1"
    while url:
        page = as_bob.get(url).json()
        found += [item["id"] for item in page["results"]]
        url = page["next"]
    assert sorted(found) == sorted(expected)


def test_nothing_waits_for_an_author_a_viewer_or_a_machine(
    as_alice: APIClient, as_carol: APIClient, as_machine: APIClient, alice: User, target: Target
) -> None:
    rows.rollout(alice, target)
    assert [ids(client) for client in (as_alice, as_carol, as_machine)] == [[], [], []]


def test_what_was_decided_waits_no_longer(as_bob: APIClient, bob: User, alice: User, target: Target) -> None:
    rollout = rows.rollout(alice, target)
    rollout.approvals.create(digest=rollout.digest, decision="approve", approver=bob)
    assert ids(as_bob) == []


def test_what_only_another_group_may_decide_does_not_wait_for_me(
    as_bob: APIClient, alice: User, target: Target, production: Environment
) -> None:
    rows.rollout(alice, target)
    production.policy["approver_groups"] = ["dba"]
    production.save()
    assert ids(as_bob) == []
