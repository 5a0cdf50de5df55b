"""The description of the API is complete, and says what the API does."""

from __future__ import annotations

from io import StringIO

from django.core.management import call_command
from django.test import Client


def test_the_description_is_made_without_a_warning() -> None:
    call_command("spectacular", "--validate", "--fail-on-warn", stdout=StringIO())


def test_the_description_is_openapi_3_1_and_needs_no_token(client: Client) -> None:
    body = client.get("/api/v1/schema/").json()
    assert body["openapi"].startswith("3.1")
    assert {"/api/v1/rollouts/{id}/start/", "/api/v1/targets/{slug}/probe/"} <= set(body["paths"])


def test_what_starts_work_says_that_it_needs_a_key(client: Client) -> None:
    operation = client.get("/api/v1/schema/").json()["paths"]["/api/v1/rollouts/"]["post"]
    header = next(item for item in operation["parameters"] if item["name"] == "Idempotency-Key")
    assert (header["in"], header["required"]) == ("header", True)
    assert "application/problem+json" in operation["responses"]["default"]["content"]


def test_the_documents_load_nothing_from_elsewhere(client: Client) -> None:
    page = client.get("/api/v1/docs/")
    assert page.status_code == 200
    assert "https://" not in page.content.decode()
    assert "'unsafe-inline'" not in page["Content-Security-Policy"].partition("script-src")[2]
