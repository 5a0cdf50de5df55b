"""The people who knock: alice proposes and operates, bob approves, carol only looks, dora is admin; and a pipeline."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from rest_framework.test import APIClient

from migrations_app.models import Actor, Environment, Project, User
from migrations_app.stages import access
from tests.doors import rows

MaxQueries = Callable[..., AbstractContextManager[None]]  # of the fixture django_assert_max_num_queries
SYSTEM = Actor.system("test")


def person(name: str, *roles: str) -> User:
    return access.ensure_user(actor=SYSTEM, username=name, password=None, roles=roles)


@pytest.fixture
def alice(db: None) -> User:
    return person("alice", "author", "operator")


@pytest.fixture
def bob(db: None) -> User:
    return person("bob", "approver")


@pytest.fixture
def carol(db: None) -> User:
    return person("carol", "viewer")


@pytest.fixture
def dora(db: None) -> User:
    return person("dora", "admin")


@pytest.fixture
def client_of() -> Callable[..., APIClient]:
    """`client_of(user)` calls as that person, `client_of(user, is_machine=True)` as a pipeline acting as them."""

    def make(user: User, *, is_machine: bool = False) -> APIClient:
        _, text = access.create_token(actor=SYSTEM, user=user, name="test", is_machine=is_machine)
        client = APIClient(raise_request_exception=True)
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {text}")
        client.default_format = "json"
        return client

    return make


@pytest.fixture
def as_alice(alice: User, client_of: Callable[..., APIClient]) -> APIClient:
    return client_of(alice)


@pytest.fixture
def as_bob(bob: User, client_of: Callable[..., APIClient]) -> APIClient:
    return client_of(bob)


@pytest.fixture
def as_carol(carol: User, client_of: Callable[..., APIClient]) -> APIClient:
    return client_of(carol)


@pytest.fixture
def as_dora(dora: User, client_of: Callable[..., APIClient]) -> APIClient:
    return client_of(dora)


@pytest.fixture
def as_machine(db: None, client_of: Callable[..., APIClient]) -> APIClient:
    """A pipeline with every role there is: what it may not do, no role can give it."""
    return client_of(person("pipeline", "author", "operator", "approver"), is_machine=True)


@pytest.fixture
def production(db: None) -> Environment:
    return rows.environment("production")


@pytest.fixture
def shop(db: None) -> Project:
    return rows.project("shop")


def keyed(key: str = "key-1") -> dict[str, Any]:
    """Arguments of a POST that starts work."""
    return {"HTTP_IDEMPOTENCY_KEY": key}
