"""What only a browser can show: keys, focus, polling, and the page at the width of a phone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db.models import F
from playwright.sync_api import Browser, Page, expect

from migrations_app.models import Rollout, Step
from tests.browser.conftest import Server
from tests.doors import rows

pytestmark = pytest.mark.browser
MOST_KEYS = 6


def url(rollout: Rollout) -> str:
    return f"/rollouts/{rollout.pk}/"


def test_bob_decides_with_few_keys_and_no_mouse(page: Page, sign_in: Callable[[str], None], waiting: Rollout) -> None:
    sign_in("bob")
    page.goto(url(waiting))
    keys = ["Tab", "Enter", "Tab", "Tab", "Enter"]  # skip link, follow it, comment, Approve, press it
    for key in keys:
        page.keyboard.press(key)
    expect(page.locator("#state")).to_contain_text("Approved")
    waiting.refresh_from_db()
    assert waiting.status == "approved"
    assert len(keys) <= MOST_KEYS


def test_the_decision_bar_never_covers_what_has_the_focus(
    page: Page, sign_in: Callable[[str], None], waiting: Rollout
) -> None:
    sign_in("bob")
    page.goto(url(waiting))
    covered = """() => {
        const bar = document.getElementById("decision"), one = document.activeElement;
        if (bar.contains(one) || one === document.body) return false;
        return one.getBoundingClientRect().top > bar.getBoundingClientRect().top;
    }"""
    for _ in range(25):
        page.keyboard.press("Tab")
        assert not page.evaluate(covered), page.evaluate("document.activeElement.outerHTML.slice(0, 200)")


def test_a_change_arrives_while_the_comment_is_being_written(
    page: Page, sign_in: Callable[[str], None], waiting: Rollout, server: Server
) -> None:
    sign_in("bob")
    page.goto(url(waiting))
    page.fill("#comment", "I am still reading")
    with server.turn:
        Rollout.objects.filter(pk=waiting.pk).update(reason="somebody else has approved", version=F("version") + 1)
    expect(page.locator("#state")).to_contain_text("somebody else has approved")
    assert page.input_value("#comment") == "I am still reading"


def test_an_unfolded_log_stays_unfolded_when_a_step_moves(
    page: Page, sign_in: Callable[[str], None], waiting: Rollout, server: Server
) -> None:
    step = Step.objects.get(plan__rollout=waiting)
    step.log.create(kind="statement", text="DROP TABLE old", duration_ms=3)
    sign_in("bob")
    page.goto(url(waiting))
    page.click(f"#log-{step.pk} summary")
    with server.turn:
        Step.objects.update(status="running", version=F("version") + 1)
    expect(page.locator("#live .badge")).to_have_text("Running")
    expect(page.locator(f"#log-{step.pk}")).to_have_attribute("open", "")


def test_polling_stops_at_a_final_state(
    page: Page, sign_in: Callable[[str], None], waiting: Rollout, server: Server
) -> None:
    sign_in("bob")
    page.goto(url(waiting))
    with page.expect_response(lambda answer: answer.status == 286), server.turn:
        Rollout.objects.filter(pk=waiting.pk).update(status="rejected", version=F("version") + 1)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.wait_for_timeout(2_600)  # one polling interval and more
    assert asked == []


def test_no_page_scrolls_sideways_on_a_phone(page: Page, sign_in: Callable[[str], None], waiting: Rollout) -> None:
    backfill = rows.backfill(waiting.author, waiting.plans.get().target)
    sign_in("bob")
    page.set_viewport_size({"width": 320, "height": 640})
    lists = [
        "/",
        "/targets/",
        "/projects/shop/",
        "/rollouts/",
        "/rollouts/new/",
        "/backfills/",
        "/approvals/",
        "/audit/",
    ]
    for address in [*lists, url(waiting), f"/backfills/{backfill.pk}/", "/targets/shop-prod/", "/targets/new/"]:
        page.goto(address)
        too_wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert page.evaluate(too_wide) == 0, address


def test_deciding_works_without_javascript(
    chromium: Browser, server: Server, sign_in: Callable[[str], None], page: Page, waiting: Rollout
) -> None:
    sign_in("bob")
    signed_in = page.context.storage_state()
    home = f"http://127.0.0.1:{server.server_port}"
    plain = chromium.new_context(base_url=home, java_script_enabled=False, storage_state=signed_in).new_page()
    plain.goto(url(waiting))
    plain.fill("#comment", "not on a Friday")
    plain.click("#reject")
    assert "rejected by bob: not on a Friday" in plain.inner_text("#state")
    plain.context.close()
