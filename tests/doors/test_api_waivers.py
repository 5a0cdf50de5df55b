"""Waivers over REST: made by people who approve, listed for everybody, revoked and never changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rest_framework.test import APIClient

from migrations_app.engines.risk import waivers
from migrations_app.models import AuditEvent, Environment, Project, Rollout, Step, User, Waiver
from tests.doors import rows
from tests.doors.conftest import keyed

PATH = "/api/v1/waivers/"


@pytest.fixture
def rollout(alice: User, shop: Project, production: Environment) -> Rollout:
    row = rows.rollout(alice, rows.target("prod-1", shop, production))
    marked = waivers.mark(rows.DANGEROUS, sha256="b2", direction="up")
    Step.objects.filter(plan__rollout=row).update(analysis=marked)
    return row


def body(**changes: Any) -> dict[str, Any]:
    until = datetime.now(UTC) + timedelta(days=30)
    given = {"project": "shop", "revision": "b2", "rule": "drop-table", "reason": "it is empty"}
    return {**given, "expires_at": until.isoformat(), **changes}


def pointers(answer: Any) -> list[str]:
    assert answer["Content-Type"] == "application/problem+json"
    return [error["pointer"] for error in answer.json()["errors"]]


def test_a_danger_of_a_plan_is_waived_by_the_subject_that_the_plan_shows(as_bob: APIClient, rollout: Rollout) -> None:
    place = as_bob.get(f"/api/v1/rollouts/{rollout.pk}/plan/").json()["targets"][0]
    (finding,) = place["steps"][0]["findings"]
    until = (datetime.now(UTC) + timedelta(days=30)).isoformat()
    given = {"rollout": rollout.pk, "subject": finding["subject"], "environment": "production"}
    answer = as_bob.post(PATH, {**given, "reason": "it is empty", "expires_at": until})
    assert answer.status_code == 201, answer.content
    told = as_bob.get(answer["Location"]).json()
    assert told == answer.json()
    assert (told["state"], told["created_by"], told["rule"], told["environment"]) == (
        "active", "bob", "drop-table", "production",
    )  # fmt: skip
    assert (told["revision"], told["statement"], told["message"]) == ("b2", "DROP TABLE old", "drops it")


def test_a_danger_of_a_revision_is_waived_before_anybody_plans_it(as_bob: APIClient, shop: Project) -> None:
    answer = as_bob.post(PATH, body())
    assert answer.status_code == 201, answer.content
    assert answer.json()["environment"] is None


def test_a_waiver_is_revoked_once_and_the_audit_has_both(as_bob: APIClient, shop: Project) -> None:
    name = as_bob.post(PATH, body()).json()["id"]
    assert pointers(as_bob.post(f"{PATH}{name}/revoke/", {"reason": " "})) == ["/reason"]
    told = as_bob.post(f"{PATH}{name}/revoke/", {"reason": "somebody reads it"}).json()
    assert (told["state"], told["revoked_by"], told["revoke_reason"]) == ("revoked", "bob", "somebody reads it")
    again = as_bob.post(f"{PATH}{name}/revoke/", {"reason": "again"})
    assert (again.status_code, again.json()["code"]) == (409, "illegal_transition")
    entries = AuditEvent.objects.filter(object_id=name).values_list("action", "payload__reason")
    assert list(entries) == [("waiver.created", "it is empty"), ("waiver.revoked", "somebody reads it")]


def test_the_same_key_waives_once(as_bob: APIClient, shop: Project) -> None:
    given = body()
    first, second = as_bob.post(PATH, given, **keyed()), as_bob.post(PATH, given, **keyed())
    assert (second.status_code, second["Idempotency-Replayed"]) == (201, "true")
    assert first.json()["id"] == second.json()["id"]
    assert as_bob.post(PATH, given, **keyed("another")).json()["code"] == "already_waived"


def test_machines_authors_and_those_who_do_not_approve_are_refused(
    as_machine: APIClient, as_carol: APIClient, as_alice: APIClient, rollout: Rollout
) -> None:
    of_plan = {name: value for name, value in body(rollout=rollout.pk).items() if name not in ("project", "revision")}
    for client, given, code in (
        (as_machine, body(), "machine"),
        (as_carol, body(), "forbidden"),
        (as_alice, of_plan, "self_approval"),
    ):
        answer = client.post(PATH, given)
        assert (answer.status_code, answer.json()["code"]) == (403, code)
    assert AuditEvent.objects.filter(action="waive", outcome="denied").count() == 3
    assert not Waiver.objects.exists()


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"reason": ""}, ["/reason"]),
        ({"expires_at": "2020-01-01T00:00:00Z"}, ["/expires_at"]),
        ({"expires_at": "9999-01-01T00:00:00Z", "reason": " "}, ["/reason", "/expires_at"]),
        ({"expires_at": "tomorrow"}, ["/expires_at"]),
        ({"expires_at": None}, ["/expires_at"]),
        ({"rule": "truncate"}, ["/rule"]),
        ({"subject": "0" * 64}, ["/subject"]),
        ({"environment": "nowhere"}, ["/environment"]),
        ({"revision": "zz"}, ["/revision"]),
        ({"rollout": "rol_none"}, ["/rollout"]),
        ({"forever": True}, ["/forever"]),
        ({"rule": "a\0b"}, ["/rule"]),
    ],
    ids=lambda value: "" if isinstance(value, list) else "+".join(value),
)
def test_each_wrong_field_is_named(as_bob: APIClient, shop: Project, changes: dict[str, Any], wrong: list[str]) -> None:
    answer = as_bob.post(PATH, body(**changes))
    assert answer.status_code == 400
    assert pointers(answer) == wrong


def test_it_is_either_a_rollout_or_a_revision_of_a_project(as_bob: APIClient, rollout: Rollout) -> None:
    assert pointers(as_bob.post(PATH, body(rollout=rollout.pk))) == [""]
    for left_out in ({"project", "revision"}, {"revision"}, {"project"}):
        given = {name: value for name, value in body().items() if name not in left_out}
        assert pointers(as_bob.post(PATH, given)) == [""]


def test_the_list_is_filtered_by_state_and_paged(as_bob: APIClient, as_carol: APIClient, shop: Project) -> None:
    made = [as_bob.post(PATH, body(environment=rows.environment(name).name)).json()["id"] for name in ("dev", "test")]
    made.append(as_bob.post(PATH, body()).json()["id"])
    as_bob.post(f"{PATH}{made[0]}/revoke/", {"reason": "x"})
    Waiver.objects.filter(pk=made[1]).update(expires_at=datetime.now(UTC) - timedelta(seconds=1))
    for state, expected in zip(("revoked", "expired", "active"), made, strict=True):
        assert [row["id"] for row in as_carol.get(f"{PATH}?state={state}").json()["results"]] == [expected]
    assert pointers(as_carol.get(f"{PATH}?state=forgotten")) == ["/state"]
    assert [row["id"] for row in as_carol.get(f"{PATH}?environment=dev").json()["results"]] == [made[0]]
    found, url = [], f"{PATH}?limit=1"
    while url:
        page = as_carol.get(url).json()
        found += [row["id"] for row in page["results"]]
        url = page["next"]
    assert found == made[::-1]


def test_a_waiver_cannot_be_changed_or_deleted(as_bob: APIClient, shop: Project) -> None:
    path = as_bob.post(PATH, body())["Location"]
    assert {as_bob.put(path, {}).status_code, as_bob.patch(path, {}).status_code, as_bob.delete(path).status_code} == {
        405
    }
    assert as_bob.get(f"{PATH}wai_none/").status_code == 404
