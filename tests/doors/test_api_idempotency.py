"""A request that is sent twice has one effect."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from migrations_app.models import Environment, IdempotencyRecord
from tests.doors.conftest import keyed

PATH = "/api/v1/environments/"
BODY = {"name": "staging", "order": 2}


def test_the_same_key_and_body_get_the_first_answer_again(as_dora: APIClient) -> None:
    first = as_dora.post(PATH, BODY, **keyed())
    again = as_dora.post(PATH, dict(reversed(BODY.items())), **keyed())
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert again["Location"] == first["Location"]
    assert again["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first
    assert Environment.objects.count() == 1


def test_the_same_key_with_another_body_is_refused(as_dora: APIClient) -> None:
    as_dora.post(PATH, BODY, **keyed())
    answer = as_dora.post(PATH, {"name": "other"}, **keyed())
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")


def test_a_key_belongs_to_one_person_and_one_path(as_dora: APIClient, as_alice: APIClient) -> None:
    as_dora.post(PATH, BODY, **keyed())
    assert as_alice.post(PATH, BODY, **keyed()).status_code == 403
    assert as_dora.post("/api/v1/targets/", {}, **keyed()).status_code == 400


def test_while_the_first_is_at_work_the_second_is_told_to_wait(as_dora: APIClient) -> None:
    as_dora.post(PATH, BODY, **keyed())
    IdempotencyRecord.objects.update(status=None)
    answer = as_dora.post(PATH, BODY, **keyed())
    assert (answer.status_code, answer["Retry-After"]) == (409, "1")


def test_a_request_that_died_is_not_done_again(as_dora: APIClient) -> None:
    as_dora.post(PATH, BODY, **keyed())
    IdempotencyRecord.objects.update(status=None, created_at=timezone.now() - timedelta(minutes=5))
    answer = as_dora.post(PATH, BODY, **keyed())
    assert (answer.status_code, answer.json()["code"]) == (409, "outcome_unknown")
    assert "Retry-After" not in answer


def test_a_refusal_releases_the_key(as_dora: APIClient) -> None:
    assert as_dora.post(PATH, {"name": "staging", "policy": {"approvals": 0}}, **keyed()).status_code == 400
    assert as_dora.post(PATH, BODY, **keyed()).status_code == 201


def test_a_key_is_forgotten_after_a_week(as_dora: APIClient) -> None:
    as_dora.post(PATH, BODY, **keyed())
    IdempotencyRecord.objects.update(created_at=timezone.now() - timedelta(days=8))
    assert as_dora.post(PATH, {"name": "other"}, **keyed()).status_code == 201


@pytest.mark.parametrize("path", ["rollouts/", "rollouts/x/start/", "backfills/", "projects/x/bundles/"])
def test_what_starts_work_needs_a_key(as_alice: APIClient, path: str) -> None:
    answer = as_alice.post(f"/api/v1/{path}", {})
    assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_missing")
