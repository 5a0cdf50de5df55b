"""A whole Tidegate for tests that must not pretend: web, workers and scheduler are processes, the broker is real."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from demo.installation import Installation
from demo.opening import register, shop_server
from demo.people import Tokens, ensure_people
from demo.rest import Api
from demo.shop_databases import ShopServer
from tests.conftest import ReplicaTurn

PORT = 18400


@pytest.fixture(scope="session")
def tidegate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    control = urlsplit(os.environ["TIDEGATE_DATABASE_URL"])
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
    database = f"whole_flow_{worker}"
    with psycopg.connect(control.geturl(), autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE {database}")
    servers = {
        "TIDEGATE_DATABASE_URL": control._replace(path=f"/{database}").geturl(),
        "TIDEGATE_BROKER_URL": os.environ["TIDEGATE_BROKER_URL"].rpartition("/")[0] + f"/{15 - int(worker[2:])}",
        "TIDEGATE_DEMO_PRIMARY_URL": os.environ["TIDEGATE_TEST_PRIMARY_URL"],
        "TIDEGATE_DEMO_REPLICA_URL": os.environ["TIDEGATE_TEST_REPLICA_URL"],
        "TIDEGATE_LEASE_S": "6",
        "TIDEGATE_TICK_S": "1",
    }
    state_dir: Path = tmp_path_factory.mktemp("tidegate")
    # One role on one target server for all workers, so they have to agree on its password.
    (state_dir / "shop-password").write_text(sha256(servers["TIDEGATE_DEMO_PRIMARY_URL"].encode()).hexdigest())
    with Installation(state_dir, port=PORT + 100 * int(worker[2:]), for_tests=True, servers=servers) as running:
        yield running


@pytest.fixture(scope="session")
def shop(tidegate: Installation) -> ShopServer:
    return shop_server(tidegate)


@pytest.fixture(scope="session")
def tokens(tidegate: Installation) -> Tokens:
    return ensure_people(tidegate)


@pytest.fixture(scope="session")
def alice(tidegate: Installation, tokens: Tokens) -> Api:
    return Api(tidegate.url, tokens.alice)


@pytest.fixture
def make_target(
    tidegate: Installation, shop: ShopServer, tokens: Tokens, replica_turn: ReplicaTurn, request: pytest.FixtureRequest
) -> Callable[..., tuple[str, str]]:
    """`make_target("0007", is_slow=True)`: slug and URL of a registered shop of this test's own."""

    def make(revision: str, *, is_slow: bool = False) -> tuple[str, str]:
        replica_turn.share()
        name = request.node.name[:40]
        shop.make(name, revision=revision, is_slow=is_slow)
        register(Api(tidegate.url, tokens.root), shop, ("flow", name, 1))
        return name.replace("_", "-"), shop.url(name)

    return make
