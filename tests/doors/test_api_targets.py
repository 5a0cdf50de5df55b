"""Targets: registered, listed and looked at; their URLs go in and never come out."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from rest_framework.test import APIClient

from migrations_app.models import Environment, Project, User
from tests.doors import rows
from tests.doors.conftest import MaxQueries

PATH = "/api/v1/targets/"


@pytest.fixture
def body(shop: Project, production: Environment, database_url: str) -> dict[str, object]:
    return {"slug": "prod-1", "project": "shop", "environment": "production", "url": database_url}


def test_a_target_is_reached_before_it_is_kept(as_dora: APIClient, body: dict[str, object]) -> None:
    answer = as_dora.post(PATH, {**body, "labels": {"region": "eu"}, "limits": {"lock_timeout_ms": 1500}})
    assert answer.status_code == 201
    told = answer.json()
    assert (told["slug"], told["project"], told["environment"]) == ("prod-1", "shop", "production")
    assert (told["labels"], told["limits"], told["engine"]) == (
        {"region": "eu"},
        {"lock_timeout_ms": 1500},
        "postgresql",
    )
    assert (told["schema_state"], told["current"], told["heads"]) == ("unversioned", [], ["b2"])
    assert told["server_version"] >= 150000
    assert answer["Location"].endswith(f"{PATH}prod-1/")


def test_no_answer_holds_the_url_or_its_password(as_dora: APIClient, body: dict[str, object]) -> None:
    password = urlsplit(str(body["url"])).password
    made = as_dora.post(PATH, {**body, "replicas": [{"name": "r1", "url": body["url"]}]})
    answers = [made, as_dora.get(PATH), as_dora.get(f"{PATH}prod-1/"), as_dora.post(f"{PATH}prod-1/probe/")]
    for answer in answers:
        assert answer.status_code < 300
        assert password not in answer.content.decode()
        assert '"url"' not in answer.content.decode()


def test_one_that_cannot_be_reached_is_refused_and_not_kept(as_dora: APIClient, body: dict[str, object]) -> None:
    answer = as_dora.post(PATH, {**body, "url": "postgresql://app:hush@127.0.0.1:1/shop"})
    assert (answer.status_code, answer.json()["code"]) == (422, "target_unreachable")
    assert "hush" not in answer.content.decode()
    assert as_dora.get(PATH).json()["results"] == []


def test_one_database_is_one_target(as_dora: APIClient, body: dict[str, object]) -> None:
    as_dora.post(PATH, body)
    answer = as_dora.post(PATH, {**body, "slug": "prod-2"})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/slug")


def test_a_probe_says_what_it_found(as_dora: APIClient, body: dict[str, object]) -> None:
    as_dora.post(PATH, body)
    told = as_dora.post(f"{PATH}prod-1/probe/").json()
    assert told["reachable"] is True
    assert {"server_version", "current", "replicas", "reason", "schema_state"} <= set(told)


def test_a_probe_of_what_does_not_answer_is_an_answer(
    as_alice: APIClient, shop: Project, production: Environment
) -> None:
    rows.target("gone", shop, production)
    answer = as_alice.post(f"{PATH}gone/probe/")
    assert (answer.status_code, answer.json()["reachable"]) == (200, False)
    assert answer.json()["replicas"][0]["state"] == "unknown"
    assert answer.json()["reason"]


def test_what_is_pending_comes_in_order_with_its_risk(
    as_dora: APIClient, as_alice: APIClient, body: dict[str, object]
) -> None:
    as_dora.post(PATH, body)
    found = as_alice.get(f"{PATH}prod-1/pending/").json()
    assert [item["revision"] for item in found] == ["a1", "b2"]
    assert {"message", "level", "dangerous", "findings"} <= set(found[0])


def test_a_patch_changes_what_it_names(as_dora: APIClient, body: dict[str, object]) -> None:
    as_dora.post(PATH, body)
    answer = as_dora.patch(f"{PATH}prod-1/", {"labels": {"tier": "1"}})
    assert (answer.status_code, answer.json()["labels"]) == (200, {"tier": "1"})
    assert as_dora.patch(f"{PATH}prod-1/", {"slug": "other"}).json()["errors"][0]["pointer"] == "/slug"


def test_a_target_without_a_history_can_be_forgotten(
    as_dora: APIClient, alice: User, shop: Project, production: Environment
) -> None:
    rows.target("free", shop, production)
    rows.rollout(alice, rows.target("busy", shop, production))
    assert as_dora.delete(f"{PATH}free/").status_code == 204
    assert as_dora.get(f"{PATH}free/").status_code == 404
    assert as_dora.delete(f"{PATH}busy/").status_code == 409


def test_wrong_references_are_wrong_fields(as_dora: APIClient) -> None:
    body = {"slug": "x", "project": "none", "environment": "none", "url": "postgresql://h/d", "replicas": [{}]}
    errors = as_dora.post(PATH, body).json()["errors"]
    assert {error["pointer"] for error in errors} == {"/project", "/environment", "/replicas/0/name"}


def test_the_list_filters_and_costs_the_same_for_many(
    as_carol: APIClient, shop: Project, production: Environment, django_assert_max_num_queries: MaxQueries
) -> None:
    staging = rows.environment("staging")
    for number in range(20):
        rows.target(f"p-{number}", shop, production, labels={"region": "eu" if number % 2 else "us"})
    rows.target("s-1", shop, staging, labels={"region": "eu"})
    with django_assert_max_num_queries(6):
        found = as_carol.get(f"{PATH}?environment=production&label=region:eu").json()["results"]
    assert len(found) == 10
    assert found[0]["replicas"][0]["name"] == "r1"
