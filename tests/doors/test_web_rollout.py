"""The page on which one dangerous rollout is decided, and what it says while it runs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from migrations_app.models import Environment, Project, Rollout, Step, Target, User
from tests.doors import rows

HTMX = {"HTTP_HX_REQUEST": "true"}


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def place(shop: Project, production: Environment) -> Target:
    return rows.target("shop-prod", shop, production, current=["a1"], schema_state="behind", probed_at=timezone.now())


@pytest.fixture
def waiting(alice: User, place: Target) -> Rollout:
    """Dangerous, but nothing in it asks for the target's name."""
    row = rows.rollout(alice, place)
    Rollout.objects.filter(pk=row.pk).update(level="high")
    row.refresh_from_db()
    return row


def url(rollout: Rollout, verb: str = "") -> str:
    return f"/rollouts/{rollout.pk}/{verb}{'/' if verb else ''}"


def send(client: Client, rollout: Rollout, verb: str, **form: str) -> Any:
    return client.post(url(rollout, verb), {"digest": rollout.digest, **form})


def page(user: User, rollout: Rollout, **headers: str) -> str:
    return signed_in(user).get(url(rollout), **headers).content.decode()


def test_the_verdict_comes_from_the_findings_and_not_from_the_author(bob: User, waiting: Rollout) -> None:
    shown = page(bob, waiting)
    assert "Drops it on shop-prod." in shown
    assert "Takes ACCESS EXCLUSIVE: reads and writes wait while it runs." in shown
    assert shown.index("Drops it") < shown.index("tidy up")


def test_the_author_reads_why_others_decide(alice: User, waiting: Rollout) -> None:
    shown = page(alice, waiting)
    assert "You are the author: somebody else has to decide on this." in shown
    assert 'id="approve"' not in shown


def test_an_author_who_posts_anyway_is_refused_in_place(alice: User, waiting: Rollout) -> None:
    answer = send(signed_in(alice), waiting, "approve", comment="looks fine")
    assert answer.status_code == 403
    assert "You are the author" in answer.content.decode()
    waiting.refresh_from_db()
    assert waiting.status == "awaiting_approval"


def test_an_approval_is_kept_and_shown(bob: User, waiting: Rollout) -> None:
    client = signed_in(bob)
    assert send(client, waiting, "approve", comment="backups checked").status_code == 302
    waiting.refresh_from_db()
    assert waiting.status == "approved"
    assert "“backups checked”" in client.get(url(waiting)).content.decode()


def test_a_rejection_needs_a_comment(bob: User, waiting: Rollout) -> None:
    answer = send(signed_in(bob), waiting, "reject", comment=" ")
    assert answer.status_code == 400
    assert 'aria-describedby="comment-error"' in answer.content.decode()


def test_a_rejection_ends_it(bob: User, waiting: Rollout) -> None:
    send(signed_in(bob), waiting, "reject", comment="not on a Friday")
    waiting.refresh_from_db()
    assert (waiting.status, waiting.reason) == ("rejected", "rejected by bob: not on a Friday")


def test_a_stale_form_is_answered_in_place_with_the_comment_kept(bob: User, waiting: Rollout) -> None:
    answer = send(signed_in(bob), waiting, "approve", digest="sha256:older", comment="I had read it")
    assert answer.status_code == 409
    shown = answer.content.decode()
    assert "has changed since" in shown
    assert ">I had read it</textarea>" in shown
    assert f'value="{waiting.digest}"' in shown


def test_the_second_of_two_sees_the_decision_of_the_first(bob: User, waiting: Rollout, dora: User) -> None:
    dora.groups.add(bob.groups.get(name="approver"))
    send(signed_in(dora), waiting, "reject", comment="wrong target")
    answer = send(signed_in(bob), waiting, "approve", comment="fine by me")
    assert answer.status_code == 409
    assert "rejected by dora: wrong target" in answer.content.decode()


def test_what_destroys_data_asks_for_the_name_of_the_target(bob: User, alice: User, place: Target) -> None:
    critical = rows.rollout(alice, place)
    client = signed_in(bob)
    assert send(client, critical, "approve").status_code == 400
    assert send(client, critical, "approve", confirm="shop-dev").status_code == 400
    assert send(client, critical, "approve", confirm="shop-prod").status_code == 302


def test_a_viewer_reads_and_has_no_button_that_works(carol: User, waiting: Rollout) -> None:
    shown = page(carol, waiting)
    assert "Deciding needs the role approver; you have viewer." in shown
    assert 'id="approve"' not in shown
    assert signed_in(carol).post(url(waiting, "cancel")).status_code == 403


def test_characters_that_cannot_be_seen_are_boxed(bob: User, waiting: Rollout) -> None:
    Step.objects.update(statements=["SELECT '\u202eadmin\u202c' -- \u200bdone"])
    shown = page(bob, waiting)
    for hidden in "\u202e\u202c\u200b":
        assert hidden not in shown
        assert f">U+{ord(hidden):04X}</mark>" in shown
    assert "characters that cannot be seen" in shown


def test_an_opaque_step_says_so_and_shows_its_source(bob: User, waiting: Rollout) -> None:
    Step.objects.update(opaque="it asks the database for names", statements=[], analysis={})
    shown = page(bob, waiting)
    assert "Runs Python whose effect cannot be known before, on shop-prod." in shown
    assert "it asks the database for names" in shown


def test_a_target_that_has_moved_is_told_before_anybody_decides(bob: User, waiting: Rollout, place: Target) -> None:
    Target.objects.filter(pk=place.pk).update(current=["b2"])
    assert "shop-prod stands at b2 now; the plan expects a1." in page(bob, waiting)


def test_a_poll_gets_the_moving_part_only(bob: User, waiting: Rollout) -> None:
    shown = page(bob, waiting, **HTMX)
    assert shown.lstrip().startswith('<section id="live"')
    assert 'id="decision"' in shown
    assert "<html" not in shown


def test_a_poll_costs_304_until_a_step_moves(bob: User, waiting: Rollout) -> None:
    client = signed_in(bob)
    etag = client.get(url(waiting), **HTMX).headers["ETag"]
    assert client.get(url(waiting), HTTP_IF_NONE_MATCH=etag, **HTMX).status_code == 304
    Step.objects.update(version=7)
    assert client.get(url(waiting), HTTP_IF_NONE_MATCH=etag, **HTMX).status_code == 200


def test_the_page_hands_its_etag_to_the_first_poll(bob: User, waiting: Rollout) -> None:
    etag = signed_in(bob).get(url(waiting), **HTMX).headers["ETag"].strip('"')
    assert f"{{&quot;If-None-Match&quot;: &quot;\\&quot;{etag}\\&quot;&quot;}}" in page(bob, waiting)


def test_polling_ends_with_a_final_state(bob: User, alice: User, place: Target) -> None:
    done = rows.rollout(alice, place, status="succeeded", finished_at=timezone.now())
    answer = signed_in(bob).get(url(done), **HTMX)
    assert answer.status_code == 286
    assert "hx-get" not in answer.content.decode()


def test_each_status_offers_its_own_verbs(alice: User, place: Target) -> None:
    offers = {"approved": {"start", "cancel"}, "running": {"pause", "cancel"}, "paused": {"resume", "cancel"}}
    for status, verbs in {**offers, "failed": {"retry"}, "succeeded": set()}.items():
        shown = page(alice, rows.rollout(alice, place, status=status))
        found = {verb for verb in ("start", "pause", "resume", "cancel", "retry") if f'id="do-{verb}"' in shown}
        assert found == verbs, status


def test_an_operator_pauses_what_runs(alice: User, place: Target) -> None:
    running = rows.rollout(alice, place, status="running")
    client = signed_in(alice)
    shown = client.post(url(running, "pause"), follow=True).content.decode()
    assert "A pause was asked for: the step in progress ends first." in shown
    assert 'id="do-pause" aria-disabled="true"' in shown


def test_what_has_changed_since_its_approval_does_not_start(alice: User, place: Target) -> None:
    approved = rows.rollout(alice, place, status="approved", expires_at=timezone.now() + timedelta(hours=1))
    answer = signed_in(alice).post(url(approved, "start"))
    assert answer.status_code == 409
    assert "It cannot start" in answer.content.decode()


def test_an_illegal_move_is_a_page_that_says_what_to_do(alice: User, waiting: Rollout) -> None:
    answer = signed_in(alice).post(url(waiting, "resume"))
    assert answer.status_code == 409
    assert "illegal_transition" in answer.content.decode()
    assert "What to do:" in answer.content.decode()


def test_the_log_of_a_step_shows_times_and_sqlstates(alice: User, place: Target) -> None:
    running = rows.rollout(alice, place, status="running")
    step = Step.objects.get(plan__rollout=running)
    step.log.create(kind="statement", text="DROP TABLE old", duration_ms=1234, sqlstate="55P03")
    shown = page(alice, running)
    assert ">55P03</span>" in shown
    assert "1.2 s" in shown


def test_the_form_keeps_what_was_written_when_the_stage_refuses(alice: User, place: Target) -> None:
    answer = signed_in(alice).post(
        "/rollouts/new/", {"project": "shop", "targets": ["shop-prod"], "to": "no-such", "reason": "because"}
    )
    assert answer.status_code == 400
    assert "because</textarea>" in answer.content.decode()


def test_the_form_wants_a_target_and_a_reason(alice: User, place: Target) -> None:
    shown = signed_in(alice).post("/rollouts/new/", {"project": "shop", "to": "head"}).content.decode()
    assert "Choose at least one target." in shown
    assert shown.count('class="field-error"') == 2


def test_approvals_lists_what_waits_for_me_and_not_my_own(bob: User, waiting: Rollout, place: Target) -> None:
    rows.rollout(bob, place)
    client = signed_in(bob)
    shown = client.get("/approvals/").content.decode()
    assert shown.count('href="/rollouts/rol_') == 1
    assert waiting.pk in shown
    assert '<span class="count">1<' in shown


def test_what_is_the_same_on_many_targets_is_read_once(bob: User, alice: User, place: Target) -> None:
    others = [rows.target(f"shop-{n}", place.project, place.environment, current=["a1"]) for n in range(4)]
    many = rows.rollout(alice, place, *others)
    Step.objects.filter(plan__target=others[0]).update(statements=["DROP TABLE IF EXISTS old"])
    shown = page(bob, many)
    assert "Drops it on 5 targets." in shown
    assert shown.count('class="piece"') == 2
    assert "alike on 4 of 5 targets" in shown
