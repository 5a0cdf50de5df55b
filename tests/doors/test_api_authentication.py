"""Who gets in, and in what words everybody else is turned away."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from migrations_app.models import ApiToken, User


def test_without_a_token_the_answer_says_how_to_authenticate(client: APIClient) -> None:
    answer = client.get("/api/v1/targets/")
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == 'Bearer realm="tidegate"'
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "unauthenticated"


@pytest.mark.django_db
def test_a_mistyped_token_is_told_so() -> None:
    client = APIClient(headers={"Authorization": "Bearer tg_" + "0" * 32 + "." + "x" * 43 + "0" * 8})
    assert "checksum" in client.get("/api/v1/targets/").json()["detail"]


def test_a_revoked_or_expired_token_is_refused(as_carol: APIClient) -> None:
    for change in ({"revoked_at": timezone.now()}, {"revoked_at": None, "expires_at": timezone.now()}):
        ApiToken.objects.update(**change)
        assert as_carol.get("/api/v1/targets/").status_code == 401


def test_the_token_of_an_account_that_was_closed_is_refused(as_carol: APIClient, carol: User) -> None:
    User.objects.filter(pk=carol.pk).update(is_active=False)
    assert as_carol.get("/api/v1/targets/").status_code == 401


def test_a_session_of_the_browser_is_no_way_in(client: APIClient, carol: User) -> None:
    client.force_login(carol)
    assert client.get("/api/v1/targets/").status_code == 401


def test_somebody_without_any_role_sees_nothing(carol: User, client_of: Callable[..., APIClient]) -> None:
    carol.groups.clear()
    for path in ("targets/", "targets/none/", "audit/"):
        answer = client_of(carol).get(f"/api/v1/{path}")
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


def test_the_last_use_is_written_at_most_once_a_minute(as_carol: APIClient) -> None:
    as_carol.get("/api/v1/targets/")
    first = ApiToken.objects.get().last_used_at
    as_carol.get("/api/v1/targets/")
    assert ApiToken.objects.get().last_used_at == first
    ApiToken.objects.update(last_used_at=timezone.now() - timedelta(minutes=2))
    as_carol.get("/api/v1/targets/")
    assert ApiToken.objects.get().last_used_at > first
