"""The message broker of our own: one Valkey server on the loopback interface."""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import dataclass, field
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from migrations_app.engines.servers import ports
from migrations_app.engines.servers.account import Account
from migrations_app.errors import Unprocessable

START_TIMEOUT_S = 20
ATTEMPTS = 3

# noeviction: a full broker must refuse a task rather than drop another. appendonly: a restart forgets nothing.
CONFIG = """\
bind 127.0.0.1
protected-mode yes
port {port}
dir {directory}
logfile server.log
pidfile server.pid
daemonize yes
requirepass {password}
maxmemory-policy noeviction
appendonly yes
save ""
"""


@dataclass(frozen=True)
class Broker:
    """A running broker. `home` holds its configuration, its data and its log."""

    home: Path
    port: int
    password: str = field(repr=False)

    @property
    def url(self) -> str:
        """Its URL with the password in it: never to be printed."""
        return f"redis://:{self.password}@{ports.LOOPBACK}:{self.port}/0"

    def client(self) -> redis.Redis:
        """A connection that fails at once when there is no broker: the client's own retries take seconds."""
        never = Retry(NoBackoff(), retries=0)
        return redis.Redis(host=ports.LOOPBACK, port=self.port, password=self.password, socket_timeout=5, retry=never)


def start_broker(home: Path, *, program: Path, account: Account) -> Broker:
    """Start the broker kept in `home`; one that already runs is returned as it is.

    Raises Unprocessable with the last lines of its log when it does not start.
    """
    account.make_dir(home)
    broker = remembered_broker(home)
    if broker is not None and _answers(broker):
        return broker
    for _ in range(ATTEMPTS):
        broker = Broker(
            home,
            ports.pick(broker.port if broker else None),
            broker.password if broker else secrets.token_urlsafe(24),
        )
        account.write(home / "broker.json", json.dumps({"port": broker.port, "password": broker.password}))
        # In a file and not in argv, which every user of the machine can read.
        config = CONFIG.format(port=broker.port, directory=home, password=broker.password)
        account.write(home / "server.conf", config)
        done = account.run([program, home / "server.conf"], timeout_s=START_TIMEOUT_S)
        if done.code == 0 and _answers(broker, within_s=START_TIMEOUT_S):
            return broker
    log = home / "server.log"
    told = "\n".join(log.read_text(errors="replace").splitlines()[-8:]) if log.exists() else done.output
    raise Unprocessable(
        f"The broker did not start. It lives in {home}; its last words were:\n{told}", code="servers_broker_failed"
    )


def stop_broker(broker: Broker) -> None:
    """Stop the broker, its append-only file written out; nothing happens when it does not run."""
    if not _answers(broker):
        return
    with broker.client() as client:
        client.shutdown()
    deadline = time.monotonic() + START_TIMEOUT_S
    while not ports.is_free(broker.port) and time.monotonic() < deadline:
        time.sleep(0.02)


def remembered_broker(home: Path) -> Broker | None:
    """The broker that was last started in `home`, running or not."""
    notes = home / "broker.json"
    if not notes.exists():
        return None
    known = json.loads(notes.read_text())
    return Broker(home, known["port"], known["password"])


def _answers(broker: Broker, *, within_s: float = 0) -> bool:
    """Whether our broker answers: a stranger on the port does not know our password."""
    deadline = time.monotonic() + within_s
    while True:
        try:
            with broker.client() as client:
                return bool(client.ping())
        except redis.AuthenticationError:
            return False
        except (redis.RedisError, OSError):  # not listening yet, or still reading its append-only file
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.02)
