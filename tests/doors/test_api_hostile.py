"""What no honest client sends is a wrong request, and never a fault of ours."""

from __future__ import annotations

import json

import pytest
from rest_framework.test import APIClient

from migrations_app.models import Backfill, Environment, Project, User
from tests.doors import rows
from tests.doors.conftest import keyed

ENVIRONMENTS = "/api/v1/environments/"


@pytest.mark.parametrize(
    "path",
    [
        "targets/%00/",
        "targets/?environment=%00",
        "targets/?label=%00:x",
        f"targets/?limit={'9' * 5000}",
        f"targets/?cursor={'x' * 5000}",
        "rollouts/x%00/plan/",
        "audit/?actor=%F0%9F",
    ],
)
def test_no_address_breaks_us(as_dora: APIClient, path: str) -> None:
    assert as_dora.get(f"/api/v1/{path}").status_code in {200, 400, 404}


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        json.dumps({"name": "a\0b"}),
        '{"name": "dev", "policy": {"approver_groups": ["\\ud800"]}}',
        '{"name": "dev", "policy": {"freeze": ["\\u0000"]}}',
        '{"name": "dev", "policy": {"max_lag_s": "nan"}}',
        '{"name": "dev", "policy": null}',
        '{"name": "dev", "order": 1e99}',
        '"text"',
        "null",
    ],
)
def test_no_body_breaks_us(as_dora: APIClient, text: str) -> None:
    answer = as_dora.generic("POST", ENVIRONMENTS, text, content_type="application/json")
    assert answer.status_code == 400, answer.content
    assert not Environment.objects.exists()


def test_a_name_that_is_too_long_to_be_kept_is_refused(as_dora: APIClient) -> None:
    answer = as_dora.post(f"/api/v1/rollouts/{'x' * 600}/start/", **keyed())
    assert answer.status_code in {400, 404}
    assert as_dora.post(ENVIRONMENTS, {"name": "dev"}, **keyed("k" * 256)).status_code == 400


def test_no_number_hides_from_its_limits(
    as_alice: APIClient, alice: User, shop: Project, production: Environment
) -> None:
    row = rows.backfill(alice, rows.target("prod-1", shop, production), status="running")
    for value in ("nan", "inf", -1, True):
        assert as_alice.patch(f"/api/v1/backfills/{row.pk}/", {"max_lag_s": value}).status_code == 400
    assert Backfill.objects.get().max_lag_s == 2.0


@pytest.mark.parametrize("at", ["9999-12-31T23:59:59-23:59", "2030-02-30T00:00:00Z", "soon", 5, None])
def test_a_time_that_is_none_is_refused_or_left_out(as_alice: APIClient, shop: Project, at: object) -> None:
    body = {"project": "shop", "targets": [], "reason": "x", "not_before": at}
    answer = as_alice.post("/api/v1/rollouts/", body, **keyed())
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == ("/targets" if at is None else "/not_before")
