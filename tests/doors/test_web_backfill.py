"""The page of one backfill, which people watch, and the forms around it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from django.test import Client
from django.utils import timezone

from migrations_app.models import Backfill, Environment, Project, Target, User
from migrations_app.models.secrets import put_url
from tests.doors import rows

HTMX = {"HTTP_HX_REQUEST": "true"}


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def url(backfill: Backfill, verb: str = "") -> str:
    return f"/backfills/{backfill.pk}/{verb}{'/' if verb else ''}"


@pytest.fixture
def place(shop: Project, production: Environment) -> Target:
    return rows.target("shop-prod", shop, production)


@pytest.fixture
def running(alice: User, place: Target) -> Backfill:
    row = rows.backfill(
        alice,
        place,
        status="running",
        rows_scanned=12_430_112,
        rows_estimated=41_000_000,
        rows_per_s=18_000,
        eta_low_s=1300,
        eta_s=1560,
        lag_s=4.1,
        throttle_reason="replica r2 lag 4.1 s > 2 s, for 38 s",
        started_at=timezone.now(),
    )
    for lag_s in (0.1, None, 4.1):
        row.samples.create(rows_done=1, rows_per_s=10.0, lag_s=lag_s, chunk_rows=100, throttled=False)
    return row


def page(user: User, backfill: Backfill, **headers: str) -> Any:
    return signed_in(user).get(url(backfill), **headers).content.decode()


def test_the_bar_says_in_words_how_far_it_is(carol: User, running: Backfill) -> None:
    shown = page(carol, running)
    words = "12\u202f430\u202f112 of about 41\u202f000\u202f000 rows (30.3 %)"
    assert f'aria-valuetext="{words}"' in shown
    assert f"<p>{words}</p>" in shown


def test_what_holds_it_back_is_said_with_how_long_it_will_take(carol: User, running: Backfill) -> None:
    shown = page(carol, running)
    assert "replica r2 lag 4.1 s &gt; 2 s, for 38 s" in shown
    assert "21 min to 26 min" in shown


def test_the_chart_has_a_gap_where_nothing_was_measured(carol: User, running: Backfill) -> None:
    shown = page(carol, running)
    lag = shown[shown.index('id="lag"') : shown.index('id="events"')]
    assert lag.count("<polyline") == 2
    assert 'class="limit"' in lag
    assert "The charts as numbers" in shown


def test_a_viewer_has_no_brakes(carol: User, running: Backfill) -> None:
    shown = page(carol, running)
    assert 'id="do-pause" aria-disabled="true"' in shown
    assert "How hard it may push" not in shown
    assert signed_in(carol).post(url(running, "pause")).status_code == 403


def test_an_operator_pauses_it(alice: User, running: Backfill) -> None:
    client = signed_in(alice)
    assert client.post(url(running, "pause")).status_code == 302
    running.refresh_from_db()
    assert running.status == "pausing"
    assert "The chunk in progress is committed first; that takes seconds." in page(alice, running)


def test_limits_change_while_it_runs(alice: User, running: Backfill) -> None:
    signed_in(alice).post(url(running, "limits"), {"max_lag_s": "0.5", "chunk_ms": "50"})
    running.refresh_from_db()
    assert (running.max_lag_s, running.chunk_ms) == (0.5, 50)


def test_a_wrong_limit_is_told_at_its_field(alice: User, running: Backfill) -> None:
    answer = signed_in(alice).post(url(running, "limits"), {"max_lag_s": "0", "chunk_ms": "50"})
    assert answer.status_code == 400
    assert 'class="field-error"' in answer.content.decode()


def test_a_poll_costs_304_until_it_moves(carol: User, running: Backfill) -> None:
    client = signed_in(carol)
    etag = client.get(url(running), **HTMX).headers["ETag"]
    assert client.get(url(running), HTTP_IF_NONE_MATCH=etag, **HTMX).status_code == 304
    Backfill.objects.update(version=9)
    answer = client.get(url(running), HTTP_IF_NONE_MATCH=etag, **HTMX)
    assert answer.status_code == 200
    assert answer.content.decode().lstrip().startswith('<div id="live"')


def test_polling_ends_when_it_is_verified(carol: User, alice: User, place: Target) -> None:
    done = rows.backfill(alice, place, status="verified", rows_scanned=5, rows_estimated=5, finished_at=timezone.now())
    answer = signed_in(carol).get(url(done), **HTMX)
    assert answer.status_code == 286
    assert "(100 %)" in answer.content.decode()


def test_it_is_decided_on_like_a_rollout(alice: User, bob: User, place: Target) -> None:
    waiting = rows.backfill(alice, place)
    assert signed_in(alice).post(url(waiting, "approve"), {"digest": waiting.digest}).status_code == 403
    assert signed_in(bob).post(url(waiting, "approve"), {"digest": "sha256:older"}).status_code == 409
    assert signed_in(bob).post(url(waiting, "approve"), {"digest": waiting.digest}).status_code == 302
    waiting.refresh_from_db()
    assert waiting.status == "approved"


def test_an_expression_that_cannot_be_read_is_told_at_its_field(alice: User, place: Target) -> None:
    form = {"target": "shop-prod", "table": "orders", "set": "total_cents total * 100", "chunk_ms": "100"}
    answer = signed_in(alice).post("/backfills/new/", {**form, "reason": "cents"})
    assert answer.status_code == 400
    assert "Write column = expression, not: total_cents total * 100" in answer.content.decode()


def test_a_target_that_is_not_there_is_told_at_its_field(alice: User, db: None) -> None:
    form = {"target": "nowhere", "table": "orders", "set": "a = 1", "chunk_ms": "100", "reason": "cents"}
    answer = signed_in(alice).post("/backfills/new/", form)
    assert "There is no target of this name." in answer.content.decode()


def test_real_rows_are_tried_and_rolled_back(
    alice: User, place: Target, database_url: str, admin_conn: Callable[..., psycopg.Connection]
) -> None:
    conn = admin_conn(database_url)
    conn.execute("CREATE TABLE orders (id int PRIMARY KEY, total numeric, total_cents bigint)")
    conn.execute("INSERT INTO orders VALUES (7, 12.5, NULL)")
    put_url(place, database_url)
    place.save()
    waiting = rows.backfill(alice, place, where="total_cents IS NULL")
    shown = signed_in(alice).post(url(waiting, "try")).content.decode()
    assert "<td><code>NULL</code></td><td><code>1250</code></td>" in shown
    assert "leaves it alone" in shown
    assert conn.execute("SELECT total_cents FROM orders").fetchone() == (None,)
