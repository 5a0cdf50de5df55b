"""All the servers of a machine that has none: the control cluster, a target with its replica, and the broker."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from migrations_app.engines.servers import binaries
from migrations_app.engines.servers.account import Account
from migrations_app.engines.servers.broker import Broker, remembered_broker, start_broker, stop_broker
from migrations_app.engines.servers.clusters import (
    Cluster,
    ensure_database,
    remembered_cluster,
    start_cluster,
    start_replica,
    stop,
)
from migrations_app.errors import Unprocessable

CONTROL_DATABASE = CONTROL_ROLE = "tidegate"
SCRATCH = "tidegate_scratch"  # may create databases on the target's cluster, and see into none of the others
CHECKOUT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Stack:
    """The running servers. The control database and the target live in different clusters, as in production."""

    home: Path
    control: Cluster
    primary: Cluster
    replica: Cluster
    broker: Broker
    for_tests: bool

    def environment(self) -> dict[str, str]:
        """The variables that point Tidegate at these servers. The URLs hold passwords: never to be printed."""
        return {
            "TIDEGATE_DATABASE_URL": self.control.url(CONTROL_DATABASE, CONTROL_ROLE),
            "TIDEGATE_BROKER_URL": self.broker.url,
            "TIDEGATE_SCRATCH_URL": self.primary.url(SCRATCH, SCRATCH),
            "TIDEGATE_DEMO_PRIMARY_URL": self.primary.url(),
            "TIDEGATE_DEMO_REPLICA_URL": self.replica.url(),
        }

    def stop(self) -> None:
        """Stop every server; what was already stopped is left alone."""
        stop_all(self.home.parent, at_once=self.for_tests)


def default_state_dir() -> Path:
    """Where the servers of this checkout live: TIDEGATE_STATE_DIR, or a place outside the checkout.

    Root's is one that `postgres` can reach. Each user has an own one, and each checkout its own within.
    """
    override = os.environ.get("TIDEGATE_STATE_DIR")
    if override:
        return Path(override).absolute()
    checkout = f"{CHECKOUT.name}-{hashlib.sha256(os.fsencode(CHECKOUT)).hexdigest()[:8]}"
    if os.geteuid() == 0:
        return Path("/var/lib/tidegate") / checkout
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "tidegate" / checkout


def start(state_dir: Path, *, for_tests: bool = False) -> Stack:
    """Start everything in `state_dir`, made when it is missing; what runs already is kept.

    `for_tests` gives up durability for speed. Raises Unprocessable, in words for a person, when a program is
    missing, the directory cannot be used or a server does not start.
    """
    account = Account.current()
    home = _home(state_dir, account)
    with _alone(home):
        bin_dir = binaries.postgres_bin(account, home)
        program = binaries.broker_program(account, home)
        with ThreadPoolExecutor(max_workers=3) as together:
            controls = together.submit(_start_control, home, bin_dir, account, durable=not for_tests)
            targets = together.submit(_start_target, home, bin_dir, account, durable=not for_tests)
            brokers = together.submit(start_broker, home / "broker", program=program, account=account)
        primary, replica = targets.result()
        return Stack(home, controls.result(), primary, replica, brokers.result(), for_tests)


def stop_all(state_dir: Path, *, at_once: bool = False) -> None:
    """Stop whatever runs in the state directory, also after a start that failed half-way or was killed."""
    home = state_dir / "servers"
    if not home.is_dir():
        return
    with _alone(home):
        clusters = _recorded(home)
        # The replicas first: a primary's orderly stop waits until they have received everything.
        for cluster in sorted(clusters, key=lambda each: not each.is_replica):
            stop(cluster, at_once=at_once)
        broker = remembered_broker(home / "broker")
        if broker is not None:
            stop_broker(broker)


def recorded_primary(state_dir: Path) -> Cluster:
    """The target primary that another process has started in the state directory."""
    return next(cluster for cluster in _recorded(state_dir / "servers") if cluster.name == "primary")


def _recorded(home: Path) -> list[Cluster]:
    account = Account.current()
    bin_dir = binaries.postgres_bin(account, home)
    homes = [notes.parent for notes in home.glob("*/cluster.json")]
    return [remembered_cluster(each, bin_dir=bin_dir, account=account) for each in homes]


def _start_control(home: Path, bin_dir: Path, account: Account, *, durable: bool) -> Cluster:
    control = start_cluster(home / "control", bin_dir=bin_dir, account=account, durable=durable)
    ensure_database(control, CONTROL_DATABASE, owner=CONTROL_ROLE)
    return control


def _start_target(home: Path, bin_dir: Path, account: Account, *, durable: bool) -> tuple[Cluster, Cluster]:
    primary = start_cluster(home / "primary", bin_dir=bin_dir, account=account, durable=durable)
    ensure_database(primary, SCRATCH, owner=SCRATCH)
    return primary, start_replica(primary, "replica")


def _home(state_dir: Path, account: Account) -> Path:
    """The servers' own directory below the state directory, which stays ours and may hold other things."""
    missing = [path for path in (state_dir, *state_dir.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir()
        # Others may pass through but not look: whatever our umask, the servers' account has to get to its own.
        path.chmod(0o711 if account.uid is not None else 0o700)
    home = account.make_dir(state_dir / "servers")
    if account.run(["test", "-w", home], timeout_s=20).code != 0:
        raise Unprocessable(
            f"The servers run as {account.name}, who cannot get to {home}. Set TIDEGATE_STATE_DIR to a directory whose "
            "parents everybody may pass through, such as one below /var/lib or /tmp.",
            code="servers_state_dir",
        )
    return home


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """One start or stop at a time: two would both find nothing there, and make it twice."""
    with (home / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
