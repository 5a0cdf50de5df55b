"""What would happen, before anybody runs it."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest
from rest_framework.test import APIClient

from migrations_app.models import Environment, Project, Target, User
from migrations_app.stages import inventory
from tests.doors.conftest import SYSTEM

PATH = "/api/v1/analyses/"


@pytest.fixture
def target(shop: Project, production: Environment, database_url: str) -> Target:
    return inventory.create_target(actor=SYSTEM, slug="prod-1", project=shop, environment=production, url=database_url)


def test_sql_alone_is_judged_without_a_catalog(as_alice: APIClient) -> None:
    told = as_alice.post(PATH, {"sql": "DROP TABLE orders"}).json()
    assert (told["dangerous"], told["hazards"], told["facts"]) == (True, ["drop-table"], "none")
    assert told["statements"][0]["lock"] == "ACCESS EXCLUSIVE"
    assert told["statements"][0]["findings"][0]["safe_way"]


def test_a_target_makes_it_exact(
    as_alice: APIClient, target: Target, database_url: str, admin_conn: Callable[[str], psycopg.Connection]
) -> None:
    admin_conn(database_url).execute("CREATE TABLE orders AS SELECT 1 AS id, 'dear' AS note")
    told = as_alice.post(PATH, {"sql": "ALTER TABLE orders DROP COLUMN note", "target": "prod-1"}).json()
    assert (told["facts"], told["dangerous"]) == ("catalog", True)


def test_a_range_of_a_projects_revisions_is_judged(as_alice: APIClient, shop: Project) -> None:
    told = as_alice.post(PATH, {"project": "shop", "from": "a1", "to": "head"}).json()
    assert [statement["revision"] for statement in told["statements"]] == ["b2"]
    assert told["dangerous"] is True


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, ""),
        ({"sql": "SELECT 1", "project": "shop"}, ""),
        ({"sql": "SELECT 1", "from": "a1"}, ""),
        ({"sql": "-- nothing"}, "/sql"),
        ({"sql": "SELECT FROM WHERE"}, "/sql"),
        ({"project": "none"}, "/project"),
        ({"sgl": "SELECT 1"}, "/sgl"),
    ],
)
def test_what_cannot_be_judged_is_refused(
    as_alice: APIClient, shop: Project, body: dict[str, str], pointer: str
) -> None:
    answer = as_alice.post(PATH, body)
    assert answer.status_code == 400
    assert pointer in [error["pointer"] for error in answer.json()["errors"]]


def test_a_revision_that_nobody_knows_is_told(as_alice: APIClient, shop: Project) -> None:
    answer = as_alice.post(PATH, {"project": "shop", "to": "zz"})
    assert (answer.status_code, answer.json()["code"]) == (422, "unknown_revision")


def test_a_viewer_does_not_make_us_ask_a_target(as_carol: APIClient, carol: User, target: Target) -> None:
    assert as_carol.post(PATH, {"sql": "SELECT 1", "target": "prod-1"}).status_code == 403
