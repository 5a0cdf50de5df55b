"""The scripts that docker-compose.yml mounts, run for real: with PostgreSQL and Valkey of our own instead of images."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
import redis

from migrations_app.engines import servers
from migrations_app.engines.servers import binaries, ports
from migrations_app.engines.servers.account import Account
from migrations_app.engines.servers.broker import Broker

DEPLOY = Path(__file__).resolve().parent.parent / "deploy"
PATIENCE_S = 30
STREAMING = (
    """SELECT count(*) = 1 FROM pg_stat_replication WHERE application_name = 'replica' AND state = 'streaming'"""
)


@pytest.fixture
def account() -> Account:
    return Account.current()


@pytest.fixture
def home(account) -> Path:
    """A directory that the servers' account can get to; the plugin removes it with everything else."""
    return account.make_dir(Path(os.environ["TIDEGATE_STATE_DIR"]) / "servers" / f"compose-{secrets.token_hex(4)}")


@contextmanager
def _running(account: Account, script: Path, home: Path, env: dict[str, str], *words: str) -> Iterator[None]:
    copy = shutil.copy(script, home)  # the checkout itself may be closed to the account
    with (home / f"{script.name}.log").open("wb") as log:
        server = subprocess.Popen(
            ["bash", copy, *words],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd="/",
            env=env,
            user=account.uid,
            group=account.gid,
            extra_groups=None if account.uid is None else [],
        )
    try:
        yield
    finally:
        server.terminate()
        server.wait(PATIENCE_S)


def _until(true: Callable[[], bool], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)


def test_the_brokers_script_starts_one_that_wants_the_password_and_evicts_nothing(account, home):
    program = binaries.broker_program(account, home)
    (home / "valkey-server").symlink_to(program)
    port = ports.pick()
    env = {"PATH": f"{home}:{os.environ['PATH']}", "VALKEY_PASSWORD": "right", "VALKEY_PORT": str(port)}
    env |= {"VALKEY_DIR": str(home), "VALKEY_BIND": "127.0.0.1"}
    with _running(account, DEPLOY / "valkey/start.sh", home, env):
        _until(lambda: not ports.is_free(port), home / "start.sh.log")
        with Broker(home, port, "right").client() as client:
            kept = client.config_get("maxmemory-policy", "appendonly")
            assert kept == {"maxmemory-policy": "noeviction", "appendonly": "yes"}
        with Broker(home, port, "wrong").client() as stranger, pytest.raises(redis.AuthenticationError):
            stranger.ping()


def test_the_postgres_scripts_make_a_primary_and_a_replica_that_streams_from_it(account, home):
    bin_dir = binaries.postgres_bin(account, home)
    primary = servers.start_cluster(home / "primary", bin_dir=bin_dir, account=account, durable=False)
    passwords = {"REPLICATION_PASSWORD": "replicates", "SHOP_PASSWORD": "sells"}
    env = {"PATH": f"{bin_dir}:{os.environ['PATH']}", **passwords}
    try:
        _initialise(primary, home, env)
        port = ports.pick()
        env |= {"PGDATA": str(home / "replica"), "REPLICA_NAME": "replica"}
        env |= {"PRIMARY_HOST": "127.0.0.1", "PRIMARY_PORT": str(primary.port)}
        with _running(account, DEPLOY / "postgres/replica.sh", home, env, "-p", str(port)), primary.connect() as admin:
            _until(lambda: not ports.is_free(port), home / "replica.sh.log")
            _until(lambda: admin.execute(STREAMING).fetchone() == (True,), home / "replica.sh.log")
            with psycopg.connect(f"postgresql://shop:sells@127.0.0.1:{port}/shop") as shop:
                assert shop.execute("SELECT pg_is_in_recovery()").fetchone() == (True,)
    finally:
        servers.stop(primary, at_once=True)


def _initialise(primary: servers.Cluster, home: Path, env: dict[str, str]) -> None:
    script = shutil.copy(DEPLOY / "postgres/primary-init.sh", home)
    reach = {"PGHOST": "127.0.0.1", "PGPORT": str(primary.port), "PGPASSFILE": str(primary.passfile)}
    as_in_the_image = {"PGDATA": str(primary.data_dir), "POSTGRES_USER": "postgres"}
    done = primary.account.run(["bash", script], env=env | reach | as_in_the_image, timeout_s=PATIENCE_S)
    assert done.code == 0, done.output
    with primary.connect() as admin:
        admin.execute("SELECT pg_reload_conf()")  # the image restarts the server after its scripts
