"""Projects with their bundles and revisions, on the demo's own history."""

from __future__ import annotations

import io
import sys
import tarfile
from pathlib import Path

import pytest
from django.conf import settings
from rest_framework.test import APIClient

from migrations_app.models import Project
from tests.doors.conftest import keyed

PATH = "/api/v1/projects/"
SHOP = settings.BASE_DIR / "demo" / "shop"
RECIPE = {"python": [sys.executable], "url": {"env": ["SHOP_DATABASE_URL"], "ini": False}}


def packed(folder: Path) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        archive.add(folder, arcname=".", filter=lambda item: None if "__pycache__" in item.name else item)
    return buffer.getvalue()


@pytest.fixture
def uploaded(as_dora: APIClient) -> APIClient:
    """The demo's shop as a project whose files are uploaded; the admin who made it."""
    body = {"slug": "demo", "source": {"kind": "bundle"}, **RECIPE}
    assert as_dora.post(PATH, body).status_code == 201
    return as_dora


def upload(client: APIClient, data: bytes, key: str) -> tuple[int, dict[str, object]]:
    answer = client.generic("POST", f"{PATH}demo/bundles/", data, content_type="application/gzip", **keyed(key))
    return answer.status_code, answer.json()


def test_a_folder_is_read_when_the_project_is_made(as_dora: APIClient) -> None:
    body = {"slug": "demo", "name": "Demo", "source": {"kind": "path", "path": str(SHOP)}, **RECIPE}
    answer = as_dora.post(PATH, body)
    assert answer.status_code == 201
    told = answer.json()
    assert (told["slug"], told["name"], told["ini_section"]) == ("demo", "Demo", "alembic")
    assert told["url"]["env"] == ["SHOP_DATABASE_URL"]
    assert told["heads"] == ["0013"]
    again = as_dora.post(f"{PATH}demo/bundles/", **keyed())
    assert (again.status_code, again.json()["digest"]) == (200, told["bundle"])


def test_an_upload_is_new_once_and_known_afterwards(uploaded: APIClient) -> None:
    status, told = upload(uploaded, packed(SHOP), "first")
    assert (status, told["revisions"], told["heads"]) == (201, 13, ["0013"])
    assert str(told["digest"]).startswith("sha256:")
    assert upload(uploaded, packed(SHOP), "second") == (200, told)


def test_the_same_key_with_another_archive_is_refused(uploaded: APIClient) -> None:
    data = packed(SHOP)
    assert upload(uploaded, data, "one")[0] == 201
    assert upload(uploaded, data + b"x", "one")[0] == 422


def test_an_archive_that_is_none_is_refused(uploaded: APIClient) -> None:
    status, told = upload(uploaded, b"no archive", "one")
    assert (status, told["code"]) == (400, "invalid")


def test_revisions_come_in_order_with_their_sql_and_risk(uploaded: APIClient) -> None:
    upload(uploaded, packed(SHOP), "one")
    found = uploaded.get(f"{PATH}demo/revisions/").json()["results"]
    assert [item["revision"] for item in found] == [f"{number:04}" for number in range(1, 14)]
    last = uploaded.get(f"{PATH}demo/revisions/0012/").json()
    assert last["down_revisions"] == ["0011"]
    assert "DROP" in last["sql"]
    assert last["findings"]
    assert "def upgrade" in last["source"]


def test_a_project_without_files_has_no_revisions(uploaded: APIClient) -> None:
    assert uploaded.get(f"{PATH}demo/revisions/").json() == {"results": [], "next": None}
    assert uploaded.get(f"{PATH}demo/revisions/0001/").status_code == 404


def test_wrong_parts_of_the_recipe_have_their_pointers(as_dora: APIClient) -> None:
    body = {"slug": "demo", "source": {"kind": "bundle", "branch": "x"}, "pyhton": ["python"]}
    errors = as_dora.post(PATH, body).json()["errors"]
    assert {error["pointer"] for error in errors} == {"/source/branch", "/pyhton"}


def test_a_password_in_the_recipe_is_not_answered(as_dora: APIClient, shop: Project) -> None:
    shop.launch["env"] = {"CACHE": "redis://app:hush@cache/0"}
    shop.source = {"kind": "git", "url": "https://token@git.example/shop", "ref": "main"}
    shop.save()
    text = as_dora.get(f"{PATH}shop/").content.decode()
    assert "hush" not in text
    assert "token@" not in text
    assert "https://git.example/shop" in text
