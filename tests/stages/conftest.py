"""A scene for the stages: people, the demo's shop project, and targets that stand at some revision of it."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from migrations_app.engines.runner import spawn
from migrations_app.models import Actor, Backfill, Environment, Project, Rollout, Target, User
from migrations_app.stages import access, approve, discover, execute, inventory, plan, rollout, slices

SHOP = Path(__file__).parents[2] / "demo" / "shop"
RECIPE: dict[str, Any] = {
    "python": [sys.executable],
    "url": {"env": ["SHOP_DATABASE_URL"], "ini": False, "driver": "psycopg"},
}
SYSTEM = Actor.system("test")
FILL = """
INSERT INTO customers (email, name, legacy_ref) SELECT n || '@x', 'c' || n, 'OLD-' || n FROM generate_series(1, 20) n;
INSERT INTO orders (customer_id, status, total) SELECT 1 + n % 20, 'paid', n FROM generate_series(1, 3000) n;
ANALYZE
"""


@pytest.fixture(scope="session", autouse=True)
def read_histories_once() -> Iterator[None]:
    """The same bytes give the same history, SQL and order: read with the real child once, then remembered."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("history", "offline_sql", "plans"):
            patch.setattr(spawn, name, _remembered(getattr(spawn, name)))
        yield


def _remembered(read: Callable[..., Any]) -> Callable[..., Any]:
    kept: dict[str, Any] = {}

    def reading(launch: Any, folder: Path, *rest: Any, **more: Any) -> Any:
        key = repr((launch, folder.name, rest, more))
        if key not in kept:
            kept[key] = read(launch, folder, *rest, **more)
        return kept[key]

    return reading


@dataclass
class Scene:
    """Who is there, and short ways to do what every test needs first."""

    alice: User
    bob: User
    root: User
    environment: Environment
    project: Project
    targets: list[Target] = field(default_factory=list)

    def actor(self, user: User) -> Actor:
        return Actor.of(user, via="test")

    def target(self, url: str, slug: str = "shop-1", **more: Any) -> Target:
        row = inventory.create_target(
            actor=self.actor(self.root), slug=slug, project=self.project, environment=self.environment, url=url, **more
        )
        self.targets.append(row)
        return row

    def propose(self, *targets: Target, to: str = "head", **more: Any) -> Rollout:
        return plan.create_rollout(
            actor=self.actor(self.alice),
            author=self.alice,
            project=self.project,
            targets=list(targets) or self.targets,
            to=to,
            purpose="a test",
            **more,
        )

    def approved(self, row: Rollout) -> Rollout:
        return approve.approve(actor=self.actor(self.bob), user=self.bob, subject=row, digest=row.digest)

    def started(self, row: Rollout) -> Rollout:
        return rollout.start(actor=self.actor(self.alice), rollout=row)

    def drive(self, row: Rollout, *, rounds: int = 12) -> Rollout:
        """What tick and the workers do, one after the other, until nothing moves any more."""
        for _ in range(rounds):
            due = rollout.progress(rollout_id=row.pk).due
            for plan_id in due:
                execute.run(plan_id=plan_id, owner="test")
            for backfill in Backfill.objects.filter(step__plan__rollout=row, status__in=("running", "verifying")):
                slices.work(backfill_id=backfill.pk, owner="test")
            row.refresh_from_db()
            if row.is_final or row.status == "paused":
                break
        return row


@pytest.fixture
def scene(db: None) -> Scene:
    def person(name: str, *roles: str) -> User:
        return access.ensure_user(actor=SYSTEM, username=name, password=None, roles=roles)

    root = person("root", "admin")
    actor = Actor.of(root, via="test")
    return Scene(
        alice=person("alice", "author", "operator", "auditor"),
        bob=person("bob", "approver"),
        root=root,
        environment=inventory.create_environment(actor=actor, name="production", order=10),
        project=discover.create_project(
            actor=actor, slug="shop", name="Shop", source={"kind": "path", "path": str(SHOP)}, **RECIPE
        ),
    )


@pytest.fixture(scope="session")
def _templates(primary_server_url: str) -> Iterator[Callable[[str], str]]:
    """Databases that plain Alembic brought to a revision, made once and copied for each test."""
    made: list[str] = []

    @cache
    def at(revision: str) -> str:
        name = f"shop_{secrets.token_hex(4)}"
        with psycopg.connect(primary_server_url, autocommit=True) as conn:
            conn.execute(f"CREATE DATABASE {name}")
        made.append(name)
        url = urlsplit(primary_server_url)._replace(path=f"/{name}").geturl()
        for step in dict.fromkeys(["0003", revision]):
            alembic(url, step)
            if step == "0003" <= revision:
                with psycopg.connect(url, autocommit=True) as conn:
                    conn.execute(FILL)
        return name

    yield at
    with psycopg.connect(primary_server_url, autocommit=True) as conn:
        for name in made:
            conn.execute(f"DROP DATABASE {name} WITH (FORCE)")


def alembic(url: str, revision: str) -> None:
    """Plain `alembic upgrade`, as somebody without Tidegate would run it."""
    environment = {**os.environ, "SHOP_DATABASE_URL": url}
    command = [sys.executable, "-m", "alembic", "upgrade", revision]
    subprocess.run(command, cwd=SHOP, env=environment, check=True, capture_output=True)


@pytest.fixture
def shop_at(_templates: Callable[[str], str], primary_server_url: str) -> Iterator[Callable[[str], str]]:
    """`shop_at("0006")` is the URL of a fresh shop database at that revision, with 3,000 orders."""
    made: list[str] = []

    def copy(revision: str) -> str:
        name = f"t_{secrets.token_hex(6)}"
        with psycopg.connect(primary_server_url, autocommit=True) as conn:
            conn.execute(f"CREATE DATABASE {name} TEMPLATE {_templates(revision)} STRATEGY file_copy")
        made.append(name)
        return urlsplit(primary_server_url)._replace(path=f"/{name}").geturl()

    yield copy
    with psycopg.connect(primary_server_url, autocommit=True) as conn:
        for name in made:
            conn.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def ask() -> Callable[..., list[Any]]:
    """`ask(url, query)`: the first column of a query's rows, read beside Tidegate."""

    def query(url: str, text: str) -> list[Any]:
        with psycopg.connect(url, autocommit=True) as conn:
            cursor = conn.execute(text)
            return [row[0] for row in cursor.fetchall()] if cursor.description else []

    return query
