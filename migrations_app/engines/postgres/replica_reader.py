"""Reads one replica on a thread of its own, so that a dead one costs the others, and the backfill, a bounded wait."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import psycopg

from migrations_app.engines.postgres import heartbeat
from migrations_app.engines.postgres.address import Address
from migrations_app.engines.postgres.connect import connect as connect_to
from migrations_app.engines.postgres.heartbeat import Heartbeat
from migrations_app.engines.postgres.sqlstate import classify
from migrations_app.errors import TargetUnreachable

Connect = Callable[[Address], psycopg.Connection]
RECONNECT_AFTER_S = 1.0

READ = """
SELECT pg_is_in_recovery(), (SELECT system_identifier::text FROM pg_control_system()),
       (pg_last_wal_replay_lsn() - '0/0')::bigint,
       CASE WHEN pg_is_in_recovery() THEN pg_is_wal_replay_paused() ELSE false END,
       EXISTS (SELECT FROM pg_stat_wal_receiver)
"""


@dataclass(frozen=True)
class Reading:
    """What a server that answered says about itself; LSNs in bytes."""

    is_standby: bool
    system_identifier: str
    replay_lsn: int | None
    is_paused: bool
    has_receiver: bool
    beat: Heartbeat | None


@dataclass(frozen=True)
class Silence:
    """Why there is no reading."""

    reason: str


def open_replica(address: Address) -> psycopg.Connection:
    return connect_to(
        address, application_name="tidegate:watch", lock_timeout_ms=500, statement_timeout_ms=1_000, connect_timeout_s=2
    )


class ReplicaReader:
    """Keeps a session on one replica. `ask` starts a reading, `answer` waits for it, `close` ends the thread.

    The thread is a daemon: one that hangs on a partition holds up nobody's exit, and ends by the TCP timeouts of its
    session (about 11 s).
    """

    def __init__(self, address: Address, connect: Connect = open_replica) -> None:
        self._address = address
        self._connect = connect
        self._conn: psycopg.Connection | None = None
        self._tried_at = float("-inf")
        self._changed = threading.Condition()
        self._asked = self._answered = 0
        self._closing = False
        self._found: Reading | Silence = Silence("it has not been read yet")
        threading.Thread(target=self._work, name=f"tidegate-replica-{address.host}", daemon=True).start()

    def ask(self) -> None:
        with self._changed:
            self._asked += 1
            self._changed.notify_all()

    def answer(self, deadline: float) -> Reading | Silence:
        """The reading that was asked for last, or `Silence` when it is not there by `deadline` (monotonic)."""
        with self._changed:
            patience_s = max(0.0, deadline - time.monotonic())
            if self._changed.wait_for(lambda: self._answered >= self._asked, patience_s):
                return self._found
            before = self._found.reason if isinstance(self._found, Silence) else "it answered before"
            return Silence(f"it does not answer in time ({before})")

    def close(self) -> None:
        with self._changed:
            self._closing = True
            self._changed.notify_all()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closing or self._asked > self._answered)
                if self._closing:
                    break
                ticket = self._asked
            found = self._read()
            with self._changed:
                self._found, self._answered = found, ticket
                self._changed.notify_all()
        if self._conn is not None:
            self._conn.close()

    def _read(self) -> Reading | Silence:
        try:
            if self._conn is None:
                if time.monotonic() - self._tried_at < RECONNECT_AFTER_S:
                    return self._found  # why the last try failed
                self._tried_at = time.monotonic()
                self._conn = self._connect(self._address)
            return _reading(self._conn)
        except TargetUnreachable as refusal:
            return Silence(refusal.detail)
        except psycopg.Error as error:
            failure = classify(error)
            if self._conn is not None and self._conn.closed:
                self._conn = None
            return Silence(f"it could not be read ({failure.kind}). {failure.advice}")


def _reading(conn: psycopg.Connection) -> Reading:
    row = conn.execute(READ).fetchone()
    assert row is not None
    is_standby, system_identifier, replay_lsn, is_paused, has_receiver = row
    return Reading(is_standby, system_identifier, replay_lsn, is_paused, has_receiver, heartbeat.read(conn))
