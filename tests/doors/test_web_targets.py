"""Targets, projects and the audit: lists, filters, and what a look at them changes."""

from __future__ import annotations

import pytest
from django.test import Client

from migrations_app import lifecycle
from migrations_app.models import Actor, Environment, Project, Target, User
from migrations_app.web.paging import PER_PAGE
from tests.doors import rows


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def place(shop: Project, production: Environment) -> Target:
    return rows.target("shop-prod", shop, production, current=["a1"], heads=["b2"], schema_state="behind", pending=1)


def test_a_list_is_paged_without_gaps_and_repeats(carol: User, shop: Project, production: Environment) -> None:
    names = [rows.target(f"shop-{n:03}", shop, production).slug for n in range(PER_PAGE + 3)]
    client = signed_in(carol)
    first = client.get("/targets/?environment=production").content.decode()
    following = f"/targets/?environment=production&amp;after={names[PER_PAGE - 1]}"
    assert following.removeprefix("/targets/") in first
    second = client.get(following.replace("&amp;", "&")).content.decode()
    assert [name for name in names if f'"/targets/{name}/"' in first] == names[:PER_PAGE]
    assert [name for name in names if f'"/targets/{name}/"' in second] == names[PER_PAGE:]


def test_a_filter_without_hits_offers_to_clear_it(carol: User, place: Target) -> None:
    client = signed_in(carol)
    assert "Clear the filter" in client.get("/targets/?q=nowhere").content.decode()
    assert 'href="/targets/shop-prod/"' in client.get("/targets/?state=behind&q=PROD").content.decode()


def test_a_mangled_cursor_shows_the_first_page(carol: User, alice: User, place: Target) -> None:
    client = signed_in(alice)
    for url in ("/targets/?after=%00", "/audit/?after=nonsense", "/audit/?object_id=%00"):
        assert client.get(url).status_code == 200


def test_a_target_shows_what_is_pending_in_order(carol: User, place: Target) -> None:
    shown = signed_in(carol).get("/targets/shop-prod/").content.decode()
    pending = shown[shown.index('id="pending"') : shown.index('id="rollouts"')]
    assert "<code>b2</code>" in pending
    assert "<code>a1</code>" not in pending


def test_a_replica_tells_why_it_is_late(carol: User, place: Target) -> None:
    place.replicas.update(state="unknown", reason="it has not answered for 12 s", lag_s=None)
    for url in ("/targets/shop-prod/", "/targets/", "/"):
        assert "it has not answered for 12 s" in signed_in(carol).get(url).content.decode()


def test_a_probe_of_a_target_that_is_away_says_so(alice: User, place: Target) -> None:
    client = signed_in(alice)
    shown = client.post("/targets/shop-prod/probe/", follow=True).content.decode()
    assert "It could not be reached" in shown


def test_a_viewer_may_not_probe(carol: User, place: Target) -> None:
    client = signed_in(carol)
    assert "Probe now" not in client.get("/targets/shop-prod/").content.decode()
    assert client.post("/targets/shop-prod/probe/").status_code == 403


def test_a_target_that_cannot_be_added_is_told_at_its_field(dora: User, shop: Project, production: Environment) -> None:
    form = {"slug": "new", "project": "shop", "environment": "production", "url": "nonsense", "replicas": "r1\nr2 x y"}
    answer = signed_in(dora).post("/targets/new/", form)
    assert answer.status_code == 400
    assert 'class="field-error" id="id_url_error"' in answer.content.decode()
    assert not Target.objects.exists()


def test_passwords_do_not_come_back_from_a_refused_form_of_somebody_else(
    carol: User, shop: Project, production: Environment
) -> None:
    form = {"slug": "new", "project": "shop", "environment": "production", "url": "postgresql://a:hunter2@h/d"}
    answer = signed_in(carol).post("/targets/new/", form)
    assert answer.status_code == 403
    assert "hunter2" not in answer.content.decode()


def test_a_history_shows_heads_and_dangers(carol: User, shop: Project) -> None:
    shown = signed_in(carol).get("/projects/shop/").content.decode()
    assert shown.index("<code>b2</code></th>") < shown.index("<code>a1</code></th>")
    assert shown.count("</svg>dangerous</span>") == 1
    assert "</svg>head</span>" in shown


def test_a_project_whose_source_is_away_says_so(alice: User, shop: Project) -> None:
    answer = signed_in(alice).post("/projects/shop/sync/")
    assert answer.status_code in {400, 422}
    assert "What to do:" in answer.content.decode()


def test_the_audit_is_filtered_and_verified(alice: User, place: Target) -> None:
    lifecycle.record(Actor.of(alice, via="web"), "target.probed", place, {"reason": "asked by a test"})
    client = signed_in(alice)
    shown = client.get("/audit/?object_type=target&object_id=shop-prod").content.decode()
    assert "asked by a test" in shown
    assert "The chain is whole" in client.post("/audit/").content.decode()


def test_a_denied_attempt_is_in_the_audit(carol: User, alice: User, place: Target) -> None:
    signed_in(carol).post("/targets/shop-prod/probe/")
    shown = signed_in(alice).get("/audit/?outcome=denied&actor=carol").content.decode()
    assert "</svg>denied</span>" in shown
