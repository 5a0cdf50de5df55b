"""What people read when something is refused or breaks."""

from __future__ import annotations

import pytest
from django.test import Client, RequestFactory

from migrations_app.errors import Conflict, TargetUnreachable
from migrations_app.models import User
from migrations_app.web import failures

NOWHERE = f"/rollouts/rol_{'0' * 32}/"


@pytest.fixture
def as_carol(carol: User) -> Client:
    client = Client()
    client.force_login(carol)
    return client


def test_what_is_not_there_is_a_page_with_a_way_on(as_carol: Client) -> None:
    answer = as_carol.get(NOWHERE, HTTP_X_REQUEST_ID="pipeline-1234")
    assert answer.status_code == 404
    assert "There is no rollout rol_000" in answer.content.decode()
    assert "<code>pipeline-1234</code>" in answer.content.decode()
    assert answer.headers["X-Request-Id"] == "pipeline-1234"


def test_an_address_that_never_was_is_the_same_kind_of_page(as_carol: Client) -> None:
    answer = as_carol.get("/no/such/page/")
    assert answer.status_code == 404
    assert "There is no such page" in answer.content.decode()


def test_a_crash_is_told_with_the_request_id(as_carol: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    as_carol.raise_request_exception = False
    monkeypatch.setattr("migrations_app.web.approvals.may", lambda *_: 1 / 0)
    answer = as_carol.get("/approvals/", HTTP_X_REQUEST_ID="crashed-1234")
    assert answer.status_code == 500
    assert "<code>crashed-1234</code>" in answer.content.decode()


def test_htmx_gets_a_fragment(as_carol: Client) -> None:
    shown = as_carol.get(NOWHERE, HTTP_HX_REQUEST="true").content.decode()
    assert "There is no rollout" in shown
    assert "<html" not in shown


def test_a_request_id_that_is_not_plain_is_replaced(as_carol: Client) -> None:
    answer = as_carol.get("/", HTTP_X_REQUEST_ID="<script>alert(1)</script>")
    assert len(answer.headers["X-Request-Id"]) == 32


def test_a_form_without_its_token_says_that_nothing_was_done(carol: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(carol)
    answer = client.post("/audit/")
    assert answer.status_code == 403
    assert "Nothing was changed." in answer.content.decode()


@pytest.mark.parametrize("error", [TargetUnreachable("db-1 refuses connections"), Conflict("it moved", code="stale")])
def test_every_refusal_says_what_to_do(rf: RequestFactory, error: TargetUnreachable | Conflict) -> None:
    answer = failures.refused(rf.get("/"), error)
    assert answer.status_code == error.status
    assert failures.NEXT_STEPS[error.code] in answer.content.decode()


def test_a_fault_of_ours_tells_no_internals(rf: RequestFactory) -> None:
    answer = failures.broken(rf.get("/"))
    assert answer.status_code == 500
    assert "This is a fault of ours" in answer.content.decode()
