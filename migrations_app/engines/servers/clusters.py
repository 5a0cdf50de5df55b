"""PostgreSQL clusters of our own: made, started, resumed, replicated and stopped with the server's own programs."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
import shutil
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from migrations_app.engines.servers import ports
from migrations_app.engines.servers.account import Account, Finished
from migrations_app.errors import Unprocessable

SUPERUSER = "postgres"
START_TIMEOUT_S = 60
ATTEMPTS = 3  # a port can be taken between our probe and the server's bind

SETTINGS = """\
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 100
shared_buffers = 128MB
max_locks_per_transaction = 512
wal_level = replica
hot_standby = on
max_wal_senders = 10
max_replication_slots = 10
wal_keep_size = 128MB
max_slot_wal_keep_size = 2GB
wal_receiver_status_interval = 1s
wal_retrieve_retry_interval = 500ms
log_line_prefix = '%m [%p] %a %d '
timezone = 'UTC'
log_timezone = 'UTC'
"""
# Only for servers whose data nobody will miss: a crash of the machine may corrupt them.
THROWAWAY = "fsync = off\nfull_page_writes = off\nshared_buffers = 64MB\n"


@dataclass(frozen=True)
class Cluster:
    """One PostgreSQL cluster of ours. `home` holds its data, its log and what we remember of it."""

    name: str
    home: Path
    port: int
    bin_dir: Path
    account: Account
    durable: bool
    password: str = field(repr=False)

    @property
    def data_dir(self) -> Path:
        return self.home / "data"

    @property
    def log(self) -> Path:
        return self.home / "server.log"

    @property
    def is_replica(self) -> bool:
        return (self.data_dir / "standby.signal").exists()

    @property
    def passfile(self) -> Path:
        return self.home / "pgpass"

    def url(self, database: str = "postgres", role: str = SUPERUSER) -> str:
        """A connection URL with the role's password in it: never to be printed."""
        who = f"{quote(role, safe='')}:{quote(self.password_of(role), safe='')}"
        return f"postgresql://{who}@{ports.LOOPBACK}:{self.port}/{quote(database, safe='')}"

    def password_of(self, role: str) -> str:
        """The superuser's password is random; other roles' follow from it one way, so that none has to be stored."""
        if role == SUPERUSER:
            return self.password
        return hmac.new(self.password.encode(), role.encode(), hashlib.sha256).hexdigest()

    def connect(self, database: str = "postgres") -> psycopg.Connection:
        """A superuser's connection in autocommit mode."""
        return psycopg.connect(self.url(database), autocommit=True, connect_timeout=5)


def start_cluster(home: Path, *, bin_dir: Path, account: Account, durable: bool = True) -> Cluster:
    """Start the cluster kept in `home` and named like it, made first when there is none; if it runs, it goes on.

    Raises Unprocessable with the last lines of the server's log when it does not start.
    """
    account.make_dir(home)
    cluster = remembered_cluster(home, bin_dir=bin_dir, account=account, durable=durable)
    if not cluster.data_dir.exists():
        _initialise(cluster)
    return _started(cluster, settings="")


def start_replica(primary: Cluster, name: str) -> Cluster:
    """Start a streaming replica beside the primary: its own slot, and `name` as its application_name.

    One that was made earlier is resumed, unless the primary no longer keeps the WAL that it needs: then it is made
    anew, for it could never catch up.
    """
    home = primary.home.parent / name
    account = primary.account
    account.make_dir(home)
    replica = remembered_cluster(home, bin_dir=primary.bin_dir, account=account, durable=primary.durable)
    replica = replace(replica, password=primary.password)
    if not (replica.data_dir.exists() and _slot_is_usable(primary, name)):
        stop(replica, at_once=True)
        _copy_of(primary, replica)
    source = (
        f"host={ports.LOOPBACK} port={primary.port} user={SUPERUSER} "
        f"passfile=''{replica.passfile}'' application_name=''{name}''"
    )
    return _started(replica, settings=f"primary_conninfo = '{source}'\nprimary_slot_name = '{slot_name(name)}'\n")


def stop(cluster: Cluster, *, at_once: bool = False) -> None:
    """Stop the cluster; nothing happens when it does not run. `at_once` leaves a crash recovery to the next start."""
    if not _is_running(cluster):
        return
    mode = "immediate" if at_once else "fast"
    done = cluster.account.run(
        [cluster.bin_dir / "pg_ctl", "stop", "-D", cluster.data_dir, "-m", mode, "-w", "-t", str(START_TIMEOUT_S)],
        timeout_s=START_TIMEOUT_S + 10,
    )
    if done.code != 0:
        raise _failure(cluster, "did not stop", done)


def remove_replica(primary: Cluster, replica: Cluster) -> None:
    """Stop a replica for good: its slot goes too, or the primary would keep WAL for it until the disk is full."""
    stop(replica, at_once=True)
    _drop_slot(primary, replica.name)
    shutil.rmtree(replica.home)


def ensure_database(cluster: Cluster, database: str, *, owner: str) -> str:
    """See to it that the database and the role that owns it exist; returns the owner's URL of it.

    The role may create databases (Django's tests need that) and is no superuser.
    """
    with cluster.connect() as connection:
        role = sql.Identifier(owner)
        if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [owner]).fetchone():
            # Hashed here, so that the password itself reaches neither the server's log nor pg_stat_activity.
            secret = cluster.password_of(owner).encode()
            verifier = connection.pgconn.encrypt_password(secret, owner.encode(), b"scram-sha-256").decode()
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN CREATEDB PASSWORD {}").format(role, verifier))
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone():
            connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(database), role))
    return cluster.url(database, owner)


def remembered_cluster(home: Path, *, bin_dir: Path, account: Account, durable: bool = True) -> Cluster:
    """The cluster that was last started in `home`, running or not; a new one without a port when there is none."""
    notes = home / "cluster.json"
    if notes.exists():
        known = json.loads(notes.read_text())
        port, password, durable = known["port"], known["password"], known["durable"]
    else:
        port, password = 0, secrets.token_urlsafe(24)
    return Cluster(home.name, home, port, bin_dir, account, durable, password)


def slot_name(replica_name: str) -> str:
    """The replication slot of a replica: slots are spelt with fewer letters than application names."""
    return "tidegate_" + re.sub(r"[^a-z0-9_]", "_", replica_name.lower())


def _remember(cluster: Cluster) -> None:
    cluster.account.write(
        cluster.home / "cluster.json",
        json.dumps({"port": cluster.port, "password": cluster.password, "durable": cluster.durable}),
    )
    cluster.account.write(cluster.passfile, f"*:*:*:{SUPERUSER}:{cluster.password}\n")


def _initialise(cluster: Cluster) -> None:
    """Made beside its place and renamed: a start that was killed half-way must not leave half a cluster behind."""
    draft = cluster.home / "data.new"
    shutil.rmtree(draft, ignore_errors=True)
    _remember(cluster)
    secret = cluster.home / "password"
    cluster.account.write(secret, cluster.password)
    command: list[str | Path] = [cluster.bin_dir / "initdb", "-D", draft, "-U", SUPERUSER, "-E", "UTF8", "--no-locale"]
    command += ["--auth=scram-sha-256", f"--pwfile={secret}", "--no-instructions"]
    done = cluster.account.run(command + ([] if cluster.durable else ["--no-sync"]), timeout_s=120)
    secret.unlink()
    if done.code != 0:
        raise _failure(cluster, "could not be made", done)
    with (draft / "postgresql.conf").open("a") as file:
        file.write("\ninclude 'tidegate.conf'\n")
    draft.rename(cluster.data_dir)


def _copy_of(primary: Cluster, replica: Cluster) -> None:
    draft = replica.home / "data.new"
    shutil.rmtree(draft, ignore_errors=True)
    shutil.rmtree(replica.data_dir, ignore_errors=True)
    _remember(replica)
    _drop_slot(primary, replica.name)
    command: list[str | Path] = [replica.bin_dir / "pg_basebackup", "-D", draft, "-h", ports.LOOPBACK]
    command += ["-p", str(primary.port), "-U", SUPERUSER, "--no-password", "--checkpoint=fast", "--wal-method=stream"]
    command += ["--create-slot", "--slot", slot_name(replica.name)]
    done = replica.account.run(
        command + ([] if replica.durable else ["--no-sync"]),
        env={"PGPASSFILE": str(replica.passfile)},
        timeout_s=600,
    )
    if done.code != 0:
        raise _failure(replica, "could not be copied from its primary", done)
    # Not by --write-recovery-conf: that fixes the primary's port for ever, and the port may move at a later start.
    replica.account.write(draft / "standby.signal", "")
    draft.rename(replica.data_dir)


def _slot_is_usable(primary: Cluster, replica_name: str) -> bool:
    with primary.connect() as connection:
        found = connection.execute(
            "SELECT wal_status FROM pg_replication_slots WHERE slot_name = %s", [slot_name(replica_name)]
        ).fetchone()
    return found is not None and found[0] not in {"lost", "unreserved"}


def _drop_slot(primary: Cluster, replica_name: str) -> None:
    with primary.connect() as connection:
        connection.execute(
            "SELECT pg_terminate_backend(active_pid, 5000) FROM pg_replication_slots "
            "WHERE slot_name = %s AND active_pid IS NOT NULL",
            [slot_name(replica_name)],
        )
        connection.execute(
            "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = %s",
            [slot_name(replica_name)],
        )


def _started(cluster: Cluster, *, settings: str) -> Cluster:
    if _is_running(cluster) and _answers(cluster, within_s=20):
        _configure(cluster, settings)  # its primary may have moved to another port
        cluster.account.run([cluster.bin_dir / "pg_ctl", "reload", "-D", cluster.data_dir], timeout_s=20)
        return cluster
    for _ in range(ATTEMPTS):
        cluster = replace(cluster, port=ports.pick(cluster.port or None))
        _configure(cluster, settings)
        _remember(cluster)
        command: list[str | Path] = [cluster.bin_dir / "pg_ctl", "start", "-D", cluster.data_dir, "-l", cluster.log]
        done = cluster.account.run([*command, "-w", "-s", "-t", str(START_TIMEOUT_S)], timeout_s=START_TIMEOUT_S + 10)
        if done.code == 0 and _answers(cluster, within_s=20):
            return cluster
        if ports.is_free(cluster.port):  # so the port was not the reason, and another would not help
            break
    raise _failure(cluster, "did not start", done)


def _configure(cluster: Cluster, settings: str) -> None:
    text = f"{SETTINGS}port = {cluster.port}\n{settings}" + ("" if cluster.durable else THROWAWAY)
    cluster.account.write(cluster.data_dir / "tidegate.conf", text)


def _is_running(cluster: Cluster) -> bool:
    if not cluster.data_dir.exists():
        return False
    return cluster.account.run([cluster.bin_dir / "pg_ctl", "status", "-D", cluster.data_dir], timeout_s=20).code == 0


def _answers(cluster: Cluster, *, within_s: float) -> bool:
    """Whether it is this cluster that answers on the port: somebody else's server may have taken it meanwhile."""
    deadline = time.monotonic() + within_s
    while True:
        try:
            with cluster.connect() as connection:
                found = connection.execute("SHOW data_directory").fetchone()
            return found is not None and Path(found[0]).samefile(cluster.data_dir)
        except psycopg.OperationalError:  # still starting, or in recovery after a crash
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)


def _failure(cluster: Cluster, what: str, done: Finished) -> Unprocessable:
    log = cluster.log.read_text(errors="replace").splitlines()[-8:] if cluster.log.exists() else []
    told = "\n".join([*done.output.splitlines()[-8:], *log])
    return Unprocessable(
        f"The PostgreSQL cluster '{cluster.name}' {what}. It lives in {cluster.home}; its last words were:\n{told}",
        code="servers_postgres_failed",
    )
