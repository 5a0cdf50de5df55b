"""Every page: who may open it, what it costs, and which headers keep it safe."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import URLPattern
from pytest_django import DjangoAssertNumQueries

from migrations_app.models import Backfill, Environment, Project, Rollout, Target, User
from migrations_app.web.urls import urlpatterns
from tests.doors import rows

HTMX = {"HTTP_HX_REQUEST": "true"}
MOST_QUERIES = 12


@pytest.fixture
def busy(alice: User, bob: User, shop: Project, production: Environment) -> dict[str, str]:
    """One of everything, and the address of each page that shows it."""
    places = [rows.target(f"shop-{n}", shop, production, current=["a1"], heads=["b2"], pending=1) for n in range(6)]
    rollout = rows.rollout(alice, *places)
    rows.rollout(alice, places[0], status="running")
    backfill = rows.backfill(alice, places[0], status="running", rows_estimated=1000, rows_scanned=300)
    for done in range(3):
        backfill.samples.create(rows_done=done, rows_per_s=10.0, lag_s=0.1, chunk_rows=100, throttled=False)
    rollout.approvals.create(digest=rollout.digest, decision="approve", approver=bob)
    return {
        "home": "/",
        "targets": "/targets/",
        "target": "/targets/shop-0/",
        "projects": "/projects/",
        "project": "/projects/shop/",
        "rollouts": "/rollouts/?show=all",
        "rollout": f"/rollouts/{rollout.pk}/",
        "new rollout": "/rollouts/new/",
        "backfills": "/backfills/",
        "backfill": f"/backfills/{backfill.pk}/",
        "new backfill": "/backfills/new/",
        "new target": "/targets/new/",
        "approvals": "/approvals/",
        "audit": "/audit/",
    }


@pytest.fixture
def as_web() -> Callable[[User], Client]:
    def sign_in(user: User) -> Client:
        client = Client()
        client.force_login(user)
        return client

    return sign_in


def test_every_page_opens_within_its_queries(
    busy: dict[str, str],
    bob: User,
    as_web: Callable[[User], Client],
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    client = as_web(bob)
    for name, url in busy.items():
        with django_assert_max_num_queries(MOST_QUERIES, info=name):
            assert client.get(url).status_code == 200, name


def test_every_page_asks_strangers_to_sign_in(busy: dict[str, str], client: Client) -> None:
    for url in busy.values():
        answer = client.get(url)
        assert answer.status_code == 302
        assert answer["Location"].startswith("/accounts/login/?next=")


def test_every_address_is_guarded() -> None:
    open_to_all = {"theme"}
    for pattern in urlpatterns:
        assert isinstance(pattern, URLPattern)
        assert pattern.name in open_to_all or hasattr(pattern.callback, "__wrapped__"), pattern.name


def test_a_poll_without_a_session_reloads_the_page(busy: dict[str, str], client: Client) -> None:
    answer = client.get(busy["rollout"], **HTMX)
    assert answer.headers["HX-Refresh"] == "true"


def test_somebody_without_a_role_sees_why_and_nothing_else(
    busy: dict[str, str], as_web: Callable[[User], Client]
) -> None:
    client = as_web(User.objects.create_user("dave"))
    for url in busy.values():
        answer = client.get(url)
        assert answer.status_code == 403
        assert "This needs one of the roles" in answer.content.decode()


def test_a_viewer_does_not_read_the_audit(busy: dict[str, str], carol: User, as_web: Callable[[User], Client]) -> None:
    assert as_web(carol).get("/audit/").status_code == 403


def test_no_page_allows_inline_scripts_or_styles(
    busy: dict[str, str], bob: User, as_web: Callable[[User], Client]
) -> None:
    client = as_web(bob)
    for url in busy.values():
        answer = client.get(url)
        assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
        assert "unsafe" not in answer.headers["Content-Security-Policy"]
        assert " style=" not in answer.content.decode()
        assert "<script>" not in answer.content.decode()


def test_every_time_has_its_zone(busy: dict[str, str], bob: User, as_web: Callable[[User], Client]) -> None:
    bob.time_zone = "Asia/Kathmandu"
    bob.save()
    page = as_web(bob).get(busy["rollout"]).content.decode()
    assert page.count("<time ") == page.count("<time datetime=")
    assert '<span class="zone">+0545</span>' in page


def test_empty_lists_name_the_next_command(dora: User, as_web: Callable[[User], Client]) -> None:
    client = as_web(dora)
    for url, command in {"/targets/": "target add", "/projects/": "project add", "/rollouts/": "plan PROJECT"}.items():
        assert f"manage.py {command}" in client.get(url).content.decode()


def test_the_first_page_is_a_checklist_that_ticks_itself(
    dora: User, shop: Project, as_web: Callable[[User], Client]
) -> None:
    page = as_web(dora).get("/").content.decode()
    assert page.count("</svg>done</span>") == 1
    assert "manage.py target add" in page


def test_the_theme_is_kept_in_a_cookie(client: Client) -> None:
    answer = client.post("/theme/", {"theme": "dark", "next": "/accounts/login/"})
    assert answer["Location"] == "/accounts/login/"
    assert 'data-theme="dark"' in client.get("/accounts/login/").content.decode()


def test_the_theme_sends_nobody_elsewhere(client: Client) -> None:
    assert client.post("/theme/", {"theme": "dark", "next": "https://evil.example/"})["Location"] == "/"


def test_nobody_signs_up(db: None, client: Client) -> None:
    assert "Nobody signs up here" in client.get("/accounts/signup/").content.decode()


def test_the_rollouts_of_a_list_do_not_cost_queries(
    alice: User,
    busy: dict[str, str],
    as_web: Callable[[User], Client],
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    place = Target.objects.get(slug="shop-0")
    for _ in range(20):
        rows.rollout(alice, place)
        rows.backfill(alice, place)
    client = as_web(alice)
    for url in ("/", "/rollouts/", "/backfills/", "/targets/shop-0/"):
        with django_assert_max_num_queries(MOST_QUERIES, info=url):
            client.get(url)
    assert Rollout.objects.count() > 20 < Backfill.objects.count()
