"""Every refusal has one shape, whoever refuses."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import OperationalError
from rest_framework.exceptions import ValidationError
from rest_framework.test import APIClient

from migrations_app.api import problems
from migrations_app.stages import audit

FIELDS = {"type", "title", "status", "detail", "code", "request_id", "errors"}


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("get", "/api/v1/targets/none/", 404, "not_found"),
        ("get", "/api/v1/nowhere/", 404, "not_found"),
        ("post", "/api/nowhere", 404, "not_found"),
        ("delete", "/api/v1/targets/", 405, "method_not_allowed"),
    ],
)
def test_what_is_not_there_answers_as_a_problem(
    as_carol: APIClient, method: str, path: str, status: int, code: str
) -> None:
    answer = getattr(as_carol, method)(path)
    assert (answer.status_code, answer["Content-Type"]) == (status, problems.CONTENT_TYPE)
    body = answer.json()
    assert set(body) == FIELDS
    assert (body["status"], body["code"], body["type"]) == (status, code, f"urn:tidegate:problem:{code}")
    assert body["request_id"] == answer["X-Request-Id"]


def test_a_path_without_its_slash_is_told_so(as_carol: APIClient) -> None:
    answer = as_carol.post("/api/v1/rollouts", {})
    assert answer.status_code == 404
    assert "ends with a slash" in answer.json()["detail"]


def test_unknown_and_wrong_fields_are_told_together_with_their_pointers(as_dora: APIClient) -> None:
    body = {"name": "No Good", "polcy": {}, "policy": {"aprovals": 2, "expires_h": "soon"}}
    answer = as_dora.post("/api/v1/environments/", body)
    assert answer.status_code == 400
    pointers = {error["pointer"] for error in answer.json()["errors"]}
    assert pointers == {"/name", "/polcy", "/policy/aprovals", "/policy/expires_h"}


def test_pointers_lead_into_lists_and_escape_slashes() -> None:
    error = ValidationError({"replicas": [{}, {"url": ["wrong"]}], "a/b~c": ["odd"], "non_field_errors": ["all"]})
    found = {item.pointer: item.detail for item in problems.field_errors(error.detail)}
    assert found == {"/replicas/1/url": "wrong", "/a~1b~0c": "odd", "": "all"}


def test_a_body_that_is_no_json_or_no_object_is_refused(as_dora: APIClient) -> None:
    for text, code in (("{", "malformed"), ("[1]", "invalid"), ('{"name": NaN}', "malformed")):
        answer = as_dora.generic("POST", "/api/v1/environments/", text, content_type="application/json")
        assert (answer.status_code, answer.json()["code"]) == (400, code)


def test_a_form_is_no_way_to_send_a_body(as_dora: APIClient) -> None:
    answer = as_dora.generic(
        "POST", "/api/v1/environments/", "name=x", content_type="application/x-www-form-urlencoded"
    )
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


def test_a_body_above_one_mebibyte_is_refused(as_dora: APIClient) -> None:
    body = json.dumps({"name": "x" * 1024 * 1024})
    answer = as_dora.generic("POST", "/api/v1/environments/", body, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_a_parameter_that_is_not_known_is_refused(as_carol: APIClient) -> None:
    answer = as_carol.get("/api/v1/targets/?enviroment=production")
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == "/enviroment"


@pytest.mark.parametrize(("error", "status"), [(RuntimeError("secret"), 500), (OperationalError("secret"), 503)])
def test_a_fault_of_ours_tells_nothing_but_the_request_id(
    as_dora: APIClient, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int
) -> None:
    def fail(**_: Any) -> None:
        raise error

    monkeypatch.setattr(audit, "verify", fail)
    answer = as_dora.post("/api/v1/audit/verify/")
    assert answer.status_code == status
    assert "secret" not in answer.content.decode()
    assert answer.json()["request_id"]
