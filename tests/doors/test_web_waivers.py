"""Waiving on the page of a rollout, and the list of waivers."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from migrations_app.engines.risk import waivers
from migrations_app.models import Environment, Project, Rollout, Step, Target, User, Waiver
from tests.doors import rows

MARKED = waivers.mark(rows.DANGEROUS, sha256="b2", direction="up")
SUBJECT = MARKED["statements"][0]["findings"][0]["subject"]


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def place(shop: Project, production: Environment) -> Target:
    return rows.target("shop-prod", shop, production, current=["a1"], schema_state="behind", probed_at=timezone.now())


@pytest.fixture
def waiting(alice: User, place: Target) -> Rollout:
    row = rows.rollout(alice, place)
    Step.objects.filter(plan__rollout=row).update(analysis=MARKED)
    return row


def send(client: Client, rollout: Rollout, **changes: str) -> Any:
    day = timezone.localdate() + timedelta(days=7)
    form = {"finding": SUBJECT, "reason": "it is empty", "environment": "production", "expires_on": day.isoformat()}
    return client.post(f"/rollouts/{rollout.pk}/waive/", {**form, **changes}, follow=True)


def test_a_danger_is_waived_below_itself_and_this_plan_says_that_it_stays(bob: User, waiting: Rollout) -> None:
    client = signed_in(bob)
    assert "Waive this finding…" in client.get(f"/rollouts/{waiting.pk}/").content.decode()
    shown = send(client, waiting).content.decode()
    row = Waiver.objects.get()
    assert (row.subject, row.environment and row.environment.name) == (SUBJECT, "production")
    assert timezone.localtime(row.expires_at).strftime("%H:%M:%S") == "23:59:59"
    assert "Waived by bob in production until" in shown
    assert "“it is empty”" in shown
    assert "This plan does not count it" in shown
    waiting.refresh_from_db()
    assert waiting.status == "awaiting_approval"


def test_what_is_wrong_is_told_at_the_form_and_nothing_has_to_be_written_twice(bob: User, waiting: Rollout) -> None:
    late = (timezone.localdate() + timedelta(days=300)).isoformat()
    answer = send(signed_in(bob), waiting, expires_on=late, reason="it is empty, I looked")
    shown = answer.content.decode()
    assert answer.status_code == 400
    assert "A waiver lasts for 180 days at most" in shown
    assert "it is empty, I looked</textarea>" in shown
    assert "Say why this is safe" in send(signed_in(bob), waiting, reason=" ").content.decode()
    assert not Waiver.objects.exists()


def test_the_author_a_viewer_and_an_operator_get_no_form(alice: User, carol: User, bob: User, waiting: Rollout) -> None:
    alice.groups.add(bob.groups.get(name="approver"))
    for user in (alice, carol):
        client = signed_in(user)
        assert "Waive this finding…" not in client.get(f"/rollouts/{waiting.pk}/").content.decode()
        assert send(client, waiting).status_code == 403


def test_a_waived_danger_is_struck_with_who_why_and_until_when(bob: User, waiting: Rollout) -> None:
    word = waivers.Accepted("wai_1", SUBJECT, "bob", "it is \u202eempty", timezone.now() + timedelta(days=9))
    Step.objects.filter(plan__rollout=waiting).update(analysis=waivers.apply(MARKED, [word]))
    shown = signed_in(bob).get(f"/rollouts/{waiting.pk}/").content.decode()
    assert "<s>drops it</s>" in shown
    assert "Waived by bob until" in shown
    assert "U+202E</mark>empty" in shown
    assert '<section class="verdict warn"' in shown
    assert "1 danger in it was waived." in shown
    assert "Waive this finding…" not in shown
    assert "The waiver wai_1 is not known." in shown  # a plan that stands on what is not there is not fresh


def test_the_unseen_is_waived_beside_the_reason_that_it_is_unseen(bob: User, waiting: Rollout) -> None:
    unseen = {"dangerous": True, "level": "high", "hazards": ["opaque-code"], "statements": [], "opaque": ["it asks"]}
    marked = waivers.mark(unseen, sha256="b2", direction="up")
    Step.objects.filter(plan__rollout=waiting).update(opaque="it asks", statements=[], analysis=marked)
    client = signed_in(bob)
    shown = client.get(f"/rollouts/{waiting.pk}/").content.decode()
    assert shown.count("Waive this finding…") == 1
    assert "Runs Python whose effect cannot be known before" in shown
    assert "Waived by bob" in send(client, waiting, finding=marked["findings"][0]["subject"]).content.decode()


@pytest.fixture
def made(bob: User, waiting: Rollout) -> Waiver:
    send(signed_in(bob), waiting)
    return Waiver.objects.get()


def test_the_list_shows_each_state_and_revokes_with_a_reason(bob: User, made: Waiver) -> None:
    client = signed_in(bob)
    listed = client.get("/waivers/").content.decode()
    assert 'aria-current="page">Waivers' in listed
    assert "drop-table" in listed
    assert "Revoke…" in listed
    refused = client.post("/waivers/", {"waiver": made.pk, "reason": " "})
    assert refused.status_code == 400
    assert "Say why" in refused.content.decode()
    assert "Revoked." in client.post("/waivers/", {"waiver": made.pk, "reason": "wrong"}, follow=True).content.decode()
    assert "“wrong”" in client.get("/waivers/?show=revoked").content.decode()
    assert "No finding is waived." in client.get("/waivers/").content.decode()
    assert client.post("/waivers/", {"waiver": made.pk, "reason": "twice"}).status_code == 409
    assert client.post("/waivers/", {"waiver": "wai_none\0", "reason": "x"}).status_code == 404


def test_who_does_not_approve_sees_waivers_and_ends_none(carol: User, made: Waiver) -> None:
    client = signed_in(carol)
    assert "Revoke…" not in client.get("/waivers/").content.decode()
    assert client.post("/waivers/", {"waiver": made.pk, "reason": "no"}).status_code == 403
    Waiver.objects.update(expires_at=timezone.now())
    assert "expired</span>" in client.get("/waivers/?show=expired").content.decode()


def test_the_pages_stay_within_their_queries(
    bob: User,
    dora: User,
    alice: User,
    place: Target,
    made: Waiver,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    dora.groups.add(bob.groups.get(name="approver"))
    carried = rows.rollout(alice, place, rows.target("shop-2", place.project, place.environment))
    Step.objects.filter(plan__rollout=carried).update(analysis=waivers.apply(MARKED, [made.plain()]))
    for url, most in (("/waivers/?show=all", 12), (f"/rollouts/{carried.pk}/", 16)):
        client = signed_in(dora)
        with django_assert_max_num_queries(most, info=url):
            assert client.get(url).status_code == 200
