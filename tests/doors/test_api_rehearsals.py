"""Rehearsals over REST: asked for, waited for, read, and found again in the plan that was judged by them."""

from __future__ import annotations

import sys

import psycopg
import pytest
from rest_framework.test import APIClient

from migrations_app.engines.risk.rehearsed import RehearsedRevision
from migrations_app.models import Actor, Environment, Project, Rehearsal, Target
from migrations_app.stages import discover, inventory, rehearse
from tests.doors import rows
from tests.doors.conftest import keyed
from tests.engines.rehearsals import written

SYSTEM = Actor.system("test")
LOOK = """
for name in sorted(sa.inspect(op.get_bind()).get_table_names()):
    if name == "users":
        op.execute("ALTER TABLE users ADD COLUMN seen boolean")
"""
STANDS = """
CREATE TABLE users (id int);
CREATE TABLE alembic_version (version_num varchar(32));
INSERT INTO alembic_version VALUES ('first')
"""


@pytest.fixture
def house(tmp_path, database_url: str, production: Environment) -> Target:
    """It stands at the first of two revisions."""
    written(tmp_path, {"first": ("pass", "pass"), "look": (LOOK, "pass")})
    with psycopg.connect(database_url) as conn:
        conn.execute(STANDS)
    source = {"kind": "path", "path": str(tmp_path / "source")}
    project = discover.create_project(actor=SYSTEM, slug="house", name="House", source=source, python=[sys.executable])
    return inventory.create_target(
        actor=SYSTEM, slug="house-1", project=project, environment=production, url=database_url
    )


def test_a_rehearsal_from_the_question_to_the_plan(as_alice: APIClient, house: Target) -> None:
    asked = as_alice.post("/api/v1/targets/house-1/rehearsals/", {"to": "head"}, **keyed())
    assert (asked.status_code, asked.json()["status"], asked.json()["final"]) == (202, "waiting", False)
    rehearse.work(rehearsal_id=asked.json()["id"], owner="test")
    body = as_alice.get(asked["Location"] + "?wait=5").json()
    assert (body["status"], body["target"], body["from"], body["to"]) == ("done", "house-1", ["first"], ["look"])
    (found,) = body["revisions"]
    assert (found["resolved"], found["statements"][-1]["locks"]) == (True, {"public.users": "ACCESS EXCLUSIVE"})
    assert found["differences"] == ["column public.users.seen is new (boolean, nullable)"]
    plan = as_alice.post(
        "/api/v1/rollouts/", {"project": "house", "targets": ["house-1"], "reason": "try"}, **keyed("two")
    )
    step = as_alice.get(plan.json()["links"]["plan"]).json()["targets"][0]["steps"][0]
    assert (step["opaque"], step["sql"][-1]) == ("", "ALTER TABLE users ADD COLUMN seen boolean")
    assert step["rehearsal"] == {"done": True, "id": body["id"], "target": "house-1", "recorded": True, **found}
    again = as_alice.post("/api/v1/targets/house-1/rehearsals/", {"to": "head", "wait": 5}, **keyed("three"))
    assert (again.status_code, again.json()["id"]) == (200, body["id"])


@pytest.fixture
def known(shop: Project, production: Environment) -> Rehearsal:
    return rows.rehearsal(rows.target("shop-1", shop, production), RehearsedRevision("b2"), reason="it went")


def test_the_rehearsals_of_a_target_are_listed_without_what_they_recorded(
    as_carol: APIClient, known: Rehearsal
) -> None:
    body = as_carol.get("/api/v1/targets/shop-1/rehearsals/?status=done").json()
    (row,) = body["results"]
    assert (row["id"], row["reason"], "revisions" in row) == (known.pk, "it went", False)
    assert as_carol.get("/api/v1/targets/shop-1/rehearsals/?status=failed").json()["results"] == []


def test_an_unchanged_rehearsal_costs_no_answer(as_carol: APIClient, known: Rehearsal) -> None:
    first = as_carol.get(f"/api/v1/rehearsals/{known.pk}/")
    again = as_carol.get(f"/api/v1/rehearsals/{known.pk}/", HTTP_IF_NONE_MATCH=first["ETag"])
    assert (first.status_code, again.status_code) == (200, 304)


@pytest.mark.parametrize(
    ("body", "pointer"), [({"too": "head"}, "/too"), ({"wait": 600}, "/wait"), ({"to": ["head"]}, "/to")]
)
def test_a_wrong_question_is_told_with_its_field(as_alice: APIClient, known: Rehearsal, body, pointer) -> None:
    answer = as_alice.post("/api/v1/targets/shop-1/rehearsals/", body, **keyed())
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, pointer)


def test_who_may_not_ask_and_what_is_not_there(as_carol: APIClient, as_alice: APIClient, known: Rehearsal) -> None:
    assert as_carol.post("/api/v1/targets/shop-1/rehearsals/", {}, **keyed()).json()["code"] == "forbidden"
    assert as_alice.post("/api/v1/targets/none/rehearsals/", {}, **keyed()).status_code == 404
    assert as_alice.get("/api/v1/rehearsals/reh_none/").status_code == 404


def test_without_a_scratch_server_the_answer_says_what_to_set(as_alice: APIClient, known: Rehearsal, settings) -> None:
    settings.TIDEGATE_SCRATCH_URL = ""
    answer = as_alice.post("/api/v1/targets/shop-1/rehearsals/", {}, **keyed())
    assert (answer.status_code, answer.json()["code"]) == (422, "no_scratch_server")
