"""Databases and replicas for the tests, on the servers that `tests/servers_plugin.py` has started.

`database_url` is a fresh database on the target primary, `replica_url` the same database on its streaming replica.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from migrations_app.engines import servers

PATIENCE_S = 20


@pytest.fixture(scope="session")
def primary_server_url() -> str:
    """The superuser's URL of database `postgres` on the target primary."""
    return os.environ["TIDEGATE_TEST_PRIMARY_URL"]


@pytest.fixture(scope="session")
def replica_server_url() -> str:
    """The same on the streaming replica."""
    return os.environ["TIDEGATE_TEST_REPLICA_URL"]


@pytest.fixture(scope="session")
def _primary_admin(primary_server_url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(primary_server_url, autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="session")
def _replica_admin(replica_server_url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(replica_server_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def database_url(_primary_admin: psycopg.Connection, primary_server_url: str) -> Iterator[str]:
    """The superuser's URL of a fresh, empty database on the target primary; dropped, with its sessions, afterwards."""
    name = f"t_{secrets.token_hex(6)}"
    # Copying files is faster than logging each page, as long as fsync is off.
    _primary_admin.execute(f"CREATE DATABASE {name} TEMPLATE template0 STRATEGY file_copy")
    yield urlsplit(primary_server_url)._replace(path=f"/{name}").geturl()
    _primary_admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def second_url(database_url: str, _primary_admin: psycopg.Connection) -> Iterator[str]:
    """Another empty database, for what is done twice and compared."""
    name = f"t_{secrets.token_hex(6)}"
    _primary_admin.execute(f"CREATE DATABASE {name} TEMPLATE template0 STRATEGY file_copy")
    yield urlsplit(database_url)._replace(path=f"/{name}").geturl()
    _primary_admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def admin_conn(primary_server_url: str) -> Iterator[Callable[..., psycopg.Connection]]:
    """`admin_conn(url)` opens a superuser's connection, `autocommit=True` unless told; closed after the test."""
    opened: list[psycopg.Connection] = []

    def connect(url: str = primary_server_url, *, autocommit: bool = True) -> psycopg.Connection:
        opened.append(psycopg.connect(url, autocommit=autocommit))
        return opened[-1]

    yield connect
    for connection in opened:
        connection.close()


class ReplicaTurn:
    """Who may use the one replica: all workers at once, or one alone that pauses it.

    A test that pauses replay would make every other test's replica lag. The lock is a file, for they are processes.
    """

    def __init__(self) -> None:
        self.file = (Path(os.environ["TIDEGATE_STATE_DIR"]) / "replica.turn").open("w")
        self.alone = False

    def share(self) -> None:
        if not self.alone:  # who has it alone already must not give that up
            fcntl.flock(self.file, fcntl.LOCK_SH)

    def take_alone(self) -> None:
        fcntl.flock(self.file, fcntl.LOCK_EX)
        self.alone = True


@pytest.fixture
def replica_turn() -> Iterator[ReplicaTurn]:
    turn = ReplicaTurn()
    yield turn
    turn.file.close()


@pytest.fixture
def replica_url(
    database_url: str,
    replica_server_url: str,
    replica_turn: ReplicaTurn,
    _primary_admin: psycopg.Connection,
    _replica_admin: psycopg.Connection,
) -> str:
    """The superuser's URL of the fresh database on the replica, which has replayed its creation."""
    replica_turn.share()
    _wait_until_caught_up(_primary_admin, _replica_admin)
    return urlsplit(replica_server_url)._replace(path=urlsplit(database_url).path).geturl()


@pytest.fixture
def pause_replay(
    replica_turn: ReplicaTurn, _primary_admin: psycopg.Connection, _replica_admin: psycopg.Connection
) -> Callable[[], AbstractContextManager[None]]:
    """`with pause_replay(): ...` stops the replica from replaying; afterwards it has caught up again.

    The test has the replica to itself, so that no other test sees the lag.
    """
    replica_turn.take_alone()

    @contextmanager
    def paused() -> Iterator[None]:
        _replica_admin.execute("SELECT pg_wal_replay_pause()")
        _wait_for(_replica_admin, "SELECT pg_get_wal_replay_pause_state() = 'paused'")
        try:
            yield
        finally:
            _replica_admin.execute("SELECT pg_wal_replay_resume()")
            _wait_until_caught_up(_primary_admin, _replica_admin)

    return paused


@pytest.fixture
def spare_replica() -> Iterator[servers.Cluster]:
    """A second streaming replica that the test may stop, kill or break as it likes: `servers.stop(spare_replica)`."""
    primary = servers.recorded_primary(Path(os.environ["TIDEGATE_STATE_DIR"]))
    replica = servers.start_replica(primary, f"spare-{secrets.token_hex(4)}")
    yield replica
    servers.remove_replica(primary, replica)


def _wait_until_caught_up(primary: psycopg.Connection, replica: psycopg.Connection) -> None:
    found = primary.execute("SELECT pg_current_wal_flush_lsn()::text").fetchone()
    assert found is not None
    _wait_for(replica, "SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", found[0])


def _wait_for(connection: psycopg.Connection, query: str, *values: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while connection.execute(query, values).fetchone() != (True,):
        assert time.monotonic() < deadline, f"still not true after {PATIENCE_S} s: {query}"
        time.sleep(0.01)
