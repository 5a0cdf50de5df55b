"""Pipelines wait in one request until there is something to tell."""

from __future__ import annotations

import threading
import time

import pytest
from rest_framework.request import Request
from rest_framework.test import APIClient, APIRequestFactory

from migrations_app import lifecycle
from migrations_app.api import waiting
from migrations_app.models import Environment, Project, Rollout, Step, User
from tests.doors import rows


@pytest.fixture
def rollout(alice: User, shop: Project, production: Environment) -> Rollout:
    return rows.rollout(alice, rows.target("prod-1", shop, production), status="running")


def path_of(rollout: Rollout) -> str:
    return f"/api/v1/rollouts/{rollout.pk}/"


def test_nothing_new_is_304_for_who_has_the_answer_already(as_carol: APIClient, rollout: Rollout) -> None:
    etag = as_carol.get(path_of(rollout))["ETag"]
    answer = as_carol.get(path_of(rollout), HTTP_IF_NONE_MATCH=etag)
    assert (answer.status_code, answer.content, answer["ETag"]) == (304, b"", etag)


def test_a_step_that_moves_changes_the_etag(as_carol: APIClient, rollout: Rollout) -> None:
    before = as_carol.get(path_of(rollout))["ETag"]
    lifecycle.touch(Step.objects.get(), reason="at work")
    assert as_carol.get(path_of(rollout))["ETag"] != before


def test_who_knows_an_older_state_is_answered_at_once(as_carol: APIClient, rollout: Rollout) -> None:
    began = time.monotonic()
    answer = as_carol.get(path_of(rollout) + "?wait=30", HTTP_IF_NONE_MATCH='"old"')
    assert answer.status_code == 200
    assert time.monotonic() - began < 5


def test_a_final_state_is_answered_at_once(as_carol: APIClient, rollout: Rollout) -> None:
    Rollout.objects.update(status="succeeded")
    began = time.monotonic()
    assert as_carol.get(path_of(rollout) + "?wait=30").json()["final"] is True
    assert time.monotonic() - began < 5


def test_without_news_the_wait_ends_when_its_time_is_over(as_carol: APIClient, rollout: Rollout) -> None:
    began = time.monotonic()
    assert as_carol.get(path_of(rollout) + "?wait=1").status_code == 200
    assert 1 <= time.monotonic() - began < 5


def test_a_change_ends_the_wait_within_half_a_second() -> None:
    began = time.monotonic()
    request = Request(APIRequestFactory().get("/", {"wait": "30"}))
    seen = waiting.settled(request, lambda: waiting.Seen("new" if time.monotonic() > began + 0.6 else "old", False))
    assert seen.etag == "new"
    assert time.monotonic() - began < 0.6 + 0.5


def test_with_no_seat_left_the_answer_comes_at_once(
    as_carol: APIClient, rollout: Rollout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "_seats", threading.BoundedSemaphore(1))
    with waiting._seats:
        began = time.monotonic()
        assert as_carol.get(path_of(rollout) + "?wait=30").status_code == 200
    assert time.monotonic() - began < 5


def test_a_wait_that_is_no_number_is_refused(as_carol: APIClient, rollout: Rollout) -> None:
    assert as_carol.get(path_of(rollout) + "?wait=soon").status_code == 400
