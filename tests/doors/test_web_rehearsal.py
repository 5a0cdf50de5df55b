"""Rehearsals on the pages: of a target, of a rollout, and their own."""

from __future__ import annotations

import pytest
from django.test import Client

from migrations_app.engines.risk.rehearsed import Refusal, RehearsedRevision, RehearsedStatement
from migrations_app.models import Environment, Project, Rehearsal, Step, Target, TargetPlan, User
from tests.doors import rows

SENT = RehearsedStatement("ALTER TABLE old ADD COLUMN x int", locks={"public.old": "ACCESS EXCLUSIVE"})
FORGETS = RehearsedRevision(
    "b2", up=(SENT,), down=(), differences=("column public.old.x is new",), resolved=True, downgrade_tried=True
)
GOOD = RehearsedRevision("b2", up=(SENT,), down=(), resolved=True, downgrade_tried=True, upgraded_again=True)
REFUSED = RehearsedRevision("b2", up_error=Refusal("OperationalError", "no such table <x>", "42P01"))


def page(user: User, url: str, **headers: str) -> str:
    client = Client()
    client.force_login(user)
    return client.get(url, **headers).content.decode()


@pytest.fixture
def place(shop: Project, production: Environment) -> Target:
    return rows.target("shop-prod", shop, production, current=["a1"], schema_state="behind")


def show(user: User, rehearsal: Rehearsal) -> str:
    return page(user, f"/rehearsals/{rehearsal.pk}/")


def test_what_was_found_is_shown_with_its_locks_and_differences(carol: User, place: Target) -> None:
    shown = show(carol, rows.rehearsal(place, FORGETS))
    assert "the way down and up again leaves something different" in shown
    assert "column public.old.x is new" in shown
    assert "<code>public.old</code> <strong>ACCESS EXCLUSIVE</strong>" in shown


def test_a_revision_that_fails_offers_to_rehearse_again_to_who_may(alice: User, carol: User, place: Target) -> None:
    failed = rows.rehearsal(place, REFUSED)
    assert "no such table &lt;x&gt; (SQLSTATE 42P01)" in show(carol, failed)
    assert ("Rehearse again" in show(alice, failed), "Rehearse again" in show(carol, failed)) == (True, False)


@pytest.mark.parametrize(
    ("status", "polls"), [("waiting", True), ("running", True), ("done", False), ("failed", False)]
)
def test_a_page_follows_a_rehearsal_until_it_has_ended(carol: User, place: Target, status: str, polls: bool) -> None:
    row = rows.rehearsal(place, GOOD, status=status, reason="so it is")
    shown = show(carol, row)
    assert ('hx-trigger="every 2s"' in shown, "so it is" in shown) == (polls, True)
    client = Client(HTTP_HX_REQUEST="true")
    client.force_login(carol)
    assert client.get(f"/rehearsals/{row.pk}/").status_code == (200 if polls else 286)


def test_a_target_lists_its_rehearsals_and_says_when_there_can_be_none(alice: User, place: Target, settings) -> None:
    rows.rehearsal(place, GOOD, reason="it went")
    shown = page(alice, "/targets/shop-prod/")
    assert ("it went" in shown, "Rehearse what is pending" in shown) == (True, True)
    Rehearsal.objects.all().delete()
    settings.TIDEGATE_SCRATCH_URL = ""
    shown = page(alice, "/targets/shop-prod/")
    assert ("Rehearse what is pending" in shown, "sets TIDEGATE_SCRATCH_URL" in shown) == (False, True)


def test_a_plan_shows_what_its_rehearsal_found(alice: User, bob: User, place: Target) -> None:
    rollout = rows.rollout(alice, place)
    assert 'action="/targets/shop-prod/rehearse/"' in page(bob, f"/rollouts/{rollout.pk}/")
    TargetPlan.objects.update(rehearsal=rows.rehearsal(place, GOOD))
    Step.objects.update(analysis={**rows.DANGEROUS, "rehearsed": True}, recorded=True)
    shown = page(bob, f"/rollouts/{rollout.pk}/")
    assert "schema</a>, up, down and up again: no difference." in shown
    assert "recorded in a rehearsal" in shown
    assert 'action="/targets/shop-prod/rehearse/"' not in shown


def test_a_plan_that_waits_for_its_rehearsal_shows_how_that_goes(alice: User, place: Target) -> None:
    rollout = rows.rollout(alice, place, status="planning", reason="is being rehearsed on a copy of it")
    TargetPlan.objects.update(rehearsal=rows.rehearsal(place, GOOD, status="running", reason="is tried now"))
    shown = page(alice, f"/rollouts/{rollout.pk}/")
    assert ("is being rehearsed on a copy of it" in shown, "is tried now" in shown) == (True, True)


def test_asking_is_refused_in_words(alice: User, carol: User, place: Target, settings) -> None:
    settings.TIDEGATE_SCRATCH_URL = ""
    client = Client()
    client.force_login(alice)
    refused = client.post("/targets/shop-prod/rehearse/", {"to": "head"})
    assert (refused.status_code, "Set TIDEGATE_SCRATCH_URL" in refused.content.decode()) == (422, True)
    client.force_login(carol)
    assert client.post("/targets/shop-prod/rehearse/").status_code == 403
