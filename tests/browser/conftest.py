"""A real Chromium on the real pages, served out of the test's own transaction.

The browser reaches this machine only: a request to any other host fails the test.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.core.servers.basehttp import ThreadedWSGIServer
from django.core.signals import request_finished, request_started
from django.db import DEFAULT_DB_ALIAS, close_old_connections, connection, connections
from django.test.testcases import QuietWSGIRequestHandler
from playwright.sync_api import Browser, Page, Request, sync_playwright

from migrations_app.models import Actor, Rollout, User
from migrations_app.stages import access
from tests.doors import rows

PASSWORD = "correct-horse-battery-staple"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
CHROMIUM = os.environ.get("TIDEGATE_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome") or ""


class Server(ThreadedWSGIServer):
    """Answers one request at a time on the test's connection, so that nothing is committed and all is rolled back.

    Django's own live server needs committed rows, and emptying the tables afterwards is what the audit refuses.
    """

    def __init__(self) -> None:
        super().__init__(
            ("127.0.0.1", 0),
            QuietWSGIRequestHandler,
            connections_override={DEFAULT_DB_ALIAS: connections[DEFAULT_DB_ALIAS]},
            allow_reuse_address=False,
        )
        self.turn = threading.Lock()
        self.answer = WSGIHandler()
        self.set_app(self.in_turn)

    def in_turn(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        with self.turn:
            return self.answer(environ, start)

    def _close_connections(self) -> None:
        """The connection is the test's."""


@pytest.fixture
def server(db: None) -> Iterator[Server]:
    """`with server.turn:` around what a test changes while the browser polls."""
    made = Server()
    connection.inc_thread_sharing()
    # Between requests Django closes a connection that is inside of a transaction, and this one always is.
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    yield made
    made.shutdown()
    made.server_close()
    thread.join()
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)
    connection.dec_thread_sharing()


@pytest.fixture(scope="session")
def chromium(django_db_setup: None) -> Iterator[Browser]:
    assert CHROMIUM, "No Chromium found. Install one, or name it: TIDEGATE_CHROMIUM=/path/to/chromium"
    # Playwright's loop would make Django refuse the ORM in this thread, where nothing of ours is asynchronous.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    ours = connections[DEFAULT_DB_ALIAS]
    with sync_playwright() as playwright:
        # It leaves this thread in a context of its own, in which Django would open a second connection.
        connections[DEFAULT_DB_ALIAS] = ours
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def page(chromium: Browser, server: Server) -> Iterator[Page]:
    """A fresh window. Whatever its console complains about, or asks of another host, fails the test."""
    base_url = f"http://127.0.0.1:{server.server_port}"
    context = chromium.new_context(base_url=base_url, viewport={"width": 1440, "height": 900})
    window = context.new_page()
    window.set_default_timeout(10_000)
    trouble: list[str] = []

    def note(request: Request) -> None:
        if not request.url.startswith((base_url, "data:")):
            trouble.append(f"asked another host: {request.url}")

    window.on("request", note)
    window.on("console", lambda line: trouble.append(line.text) if line.type == "error" else None)
    window.on("pageerror", lambda error: trouble.append(str(error)))
    yield window
    context.close()
    assert trouble == []


def person(name: str, *roles: str) -> User:
    return access.ensure_user(actor=Actor.system("test"), username=name, password=PASSWORD, roles=roles)


@pytest.fixture
def waiting(server: Server) -> Rollout:
    """alice's rollout, which waits for bob, on a target that stands where the plan expects it."""
    with server.turn:
        person("bob", "approver", "operator")
        target = rows.target("shop-prod", rows.project("shop"), rows.environment("production"), current=["a1"])
        rollout = rows.rollout(person("alice", "author"), target)
        Rollout.objects.filter(pk=rollout.pk).update(level="high")
        rollout.refresh_from_db()
    return rollout


@pytest.fixture
def sign_in(page: Page) -> Callable[[str], None]:
    def enter(name: str) -> None:
        page.goto("/accounts/login/")
        page.fill("#id_login", name)
        page.fill("#id_password", PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url("/")

    return enter
