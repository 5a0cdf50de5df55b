"""A whole Tidegate for tests that must not pretend: web, workers and scheduler are processes, the broker is real."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from demo.installation import Installation
from demo.opening import shop_server
from demo.people import Tokens, ensure_people
from demo.shop_databases import ShopServer

PORT = 18400


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/flow/" in item.nodeid:
            item.add_marker(pytest.mark.flow)
            item.add_marker(pytest.mark.xdist_group("flow"))  # one installation for all of them
            item.add_marker(pytest.mark.timeout(240))


@pytest.fixture(scope="session")
def tidegate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    control = urlsplit(os.environ["TIDEGATE_DATABASE_URL"])
    with psycopg.connect(control.geturl(), autocommit=True) as conn:
        conn.execute("CREATE DATABASE whole_flow")
    servers = {
        "TIDEGATE_DATABASE_URL": control._replace(path="/whole_flow").geturl(),
        "TIDEGATE_BROKER_URL": os.environ["TIDEGATE_BROKER_URL"].rpartition("/")[0] + "/15",
        "TIDEGATE_DEMO_PRIMARY_URL": os.environ["TIDEGATE_TEST_PRIMARY_URL"],
        "TIDEGATE_DEMO_REPLICA_URL": os.environ["TIDEGATE_TEST_REPLICA_URL"],
        "TIDEGATE_LEASE_S": "6",
        "TIDEGATE_TICK_S": "1",
    }
    state_dir: Path = tmp_path_factory.mktemp("tidegate")
    with Installation(state_dir, port=PORT, for_tests=True, servers=servers) as running:
        yield running


@pytest.fixture(scope="session")
def shop(tidegate: Installation) -> ShopServer:
    return shop_server(tidegate)


@pytest.fixture(scope="session")
def tokens(tidegate: Installation) -> Tokens:
    return ensure_people(tidegate)
