from __future__ import annotations

from rest_framework.test import APIClient

from migrations_app.models import Environment

PATH = "/api/v1/environments/"


def test_an_environment_gets_the_default_policy_for_what_is_left_out(as_dora: APIClient) -> None:
    answer = as_dora.post(PATH, {"name": "production", "order": 30, "policy": {"approvals": 2}})
    assert answer.status_code == 201
    assert answer["Location"].endswith("/api/v1/environments/production/")
    policy = answer.json()["policy"]
    assert (policy["approvals"], policy["allow_self_approval"], policy["max_lag_s"]) == (2, False, 2.0)
    assert as_dora.get(answer["Location"]).json() == answer.json()


def test_a_patch_changes_only_what_it_names(as_dora: APIClient, production: Environment) -> None:
    answer = as_dora.patch(f"{PATH}production/", {"policy": {"expires_h": 4}})
    assert answer.status_code == 200
    assert (answer.json()["policy"]["expires_h"], answer.json()["policy"]["approvals"]) == (4, 1)
    assert answer.json()["policy_version"] == 2


def test_only_an_admin_changes_a_policy(as_alice: APIClient, production: Environment) -> None:
    answer = as_alice.patch(f"{PATH}production/", {"policy": {"approvals": 1}})
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


def test_a_name_that_is_taken_is_refused(as_dora: APIClient, production: Environment) -> None:
    answer = as_dora.post(PATH, {"name": "production"})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == "/name"
