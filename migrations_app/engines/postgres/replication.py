"""How far behind each replica of a target is. The list is what we expect; unknown is said, and never counts as fine."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Literal, Self

import psycopg

from migrations_app.engines.postgres import heartbeat as beats
from migrations_app.engines.postgres.address import Address
from migrations_app.engines.postgres.connect import connect as connect_to
from migrations_app.engines.postgres.heartbeat import Heartbeat
from migrations_app.engines.postgres.replica_reader import Connect, Reading, ReplicaReader, Silence, open_replica

State = Literal["streaming", "catching_up", "paused", "unreachable", "missing", "foreign", "unknown"]
PROBE_PATIENCE_S = 3.0
WATCH_PATIENCE_S = 0.2
BEAT_EVERY_S = 0.5

# The flushed position: nothing beyond it is ever sent to a replica, so nothing beyond it can be missing there.
POSITION = """
SELECT CASE WHEN pg_is_in_recovery() THEN NULL ELSE (pg_current_wal_flush_lsn() - '0/0')::bigint END,
       extract(epoch FROM clock_timestamp())::float8
"""
STANDBYS = """
SELECT application_name, state, (replay_lsn - '0/0')::bigint, extract(epoch FROM replay_lag)::float8
FROM pg_stat_replication
"""
# pg_locks, unlike the waits in pg_stat_activity, is open to every role.
BLOCKED = """
SELECT count(*) FROM (SELECT DISTINCT pid FROM pg_locks WHERE NOT granted) AS waiting
WHERE pg_blocking_pids(pid) && ours.pids AND pid <> ALL (ours.pids)
"""
BLOCKED_BY_US = f"""
SELECT ({BLOCKED}) FROM (SELECT coalesce(array_agg(pid), '{{}}') AS pids FROM pg_stat_activity
                         WHERE datname = current_database() AND starts_with(application_name, 'tidegate:')) AS ours
"""  # noqa: S608 # two constants of this file


@dataclass(frozen=True)
class ExpectedReplica:
    """A standby that must keep up. Without an address it is known to the primary only, by its application_name."""

    name: str
    address: Address | None = None


@dataclass(frozen=True)
class ReplicaState:
    """One expected replica. Lag is None where it cannot be known; `reason` says why, and is "" for a healthy one."""

    name: str
    state: State
    lag_bytes: int | None
    lag_s: float | None
    reason: str = ""


@dataclass(frozen=True)
class _Standby:
    """A row of pg_stat_replication."""

    name: str | None
    state: str | None
    replay_lsn: int | None
    replay_lag_s: float | None


@dataclass(frozen=True)
class _Primary:
    """What the primary says at one moment: its WAL position in bytes (None: it is a standby itself) and its clock."""

    lsn: int | None
    now: float
    standbys: tuple[_Standby, ...]
    beat: Heartbeat | None

    def named(self, name: str) -> _Standby | None:
        """The standby of that name; with several of one name the one that is furthest behind."""
        rows = [row for row in self.standbys if row.name == name]
        return min(rows, key=lambda row: row.replay_lsn or 0, default=None)


def observe(
    primary: psycopg.Connection,
    replicas: Sequence[ExpectedReplica],
    *,
    heartbeat: Heartbeat | None = None,
    expected_system_identifier: str,
    connect: Connect = open_replica,
) -> tuple[ReplicaState, ...]:
    """Look once, in the order of `replicas`, at most about 3 s; `ReplicaWatch` is for looking again and again.

    `primary` must be in autocommit mode. Raises psycopg's errors of the primary only.
    """
    readers = _readers(replicas, connect)
    try:
        return _observe(primary, replicas, readers, heartbeat, expected_system_identifier, PROBE_PATIENCE_S)
    finally:
        for reader in readers.values():
            reader.close()


class ReplicaWatch(AbstractContextManager["ReplicaWatch"]):
    """Watches replicas during a backfill: keeps its sessions open, beats the heartbeat, answers within 0.25 s.

    Entering opens a session on the primary (`Unreachable`); later errors of the primary are psycopg's.
    """

    def __init__(
        self,
        *,
        conn_address: Address,
        replicas: Sequence[ExpectedReplica],
        expected_system_identifier: str,
        connect: Connect = open_replica,
    ) -> None:
        self._address = conn_address
        self._replicas = tuple(replicas)
        self._identifier = expected_system_identifier
        self._connect = connect
        self._readers: dict[str, ReplicaReader] = {}
        self._beat: Heartbeat | None = None
        self._beats = False
        self._beaten_at = float("-inf")

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            self._primary = opened.enter_context(
                connect_to(
                    self._address, application_name="tidegate:watch", lock_timeout_ms=1_000, statement_timeout_ms=5_000
                )
            )
            # Else a synchronous standby makes a beat wait for the very replica whose lag it is to show; "off" would
            # send the beat up to three wal_writer_delays late, which reads as lag.
            self._primary.execute("SET synchronous_commit = local")
            self._beats = any(item.address for item in self._replicas) and beats.ensure(self._primary)
            self._readers = _readers(self._replicas, self._connect)
            for reader in self._readers.values():
                opened.callback(reader.close)
                reader.ask()  # so that they connect while the first chunk is prepared
            self._opened = opened.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.close()

    def observe(self) -> tuple[ReplicaState, ...]:
        """The state of every expected replica now, in their order."""
        if self._beats and time.monotonic() - self._beaten_at >= BEAT_EVERY_S:
            self._beaten_at = time.monotonic()
            self._beat = beats.beat(self._primary)
        return _observe(self._primary, self._replicas, self._readers, self._beat, self._identifier, WATCH_PATIENCE_S)

    def blocked_sessions(self) -> int:
        """How many sessions of others wait for a lock that a session of ours in this database holds."""
        row = self._primary.execute(BLOCKED_BY_US).fetchone()
        return int(row[0]) if row else 0


def _readers(replicas: Sequence[ExpectedReplica], connect: Connect) -> dict[str, ReplicaReader]:
    return {item.name: ReplicaReader(item.address, connect) for item in replicas if item.address}


def _observe(
    conn: psycopg.Connection,
    replicas: Sequence[ExpectedReplica],
    readers: Mapping[str, ReplicaReader],
    beat: Heartbeat | None,
    system_identifier: str,
    patience_s: float,
) -> tuple[ReplicaState, ...]:
    if not replicas:
        return ()
    # The primary first: a replica at this position surely has all that was there when we began to look.
    primary = _primary(conn, beat)
    if primary.lsn is None:
        reason = "the target itself is a standby now, so nothing can be compared. Was there a failover?"
        return tuple(ReplicaState(item.name, "unknown", None, None, reason) for item in replicas)
    for reader in readers.values():
        reader.ask()
    deadline = time.monotonic() + patience_s
    return tuple(
        _direct(item, readers[item.name].answer(deadline), primary, system_identifier)
        if item.name in readers
        else _by_name(item, primary)
        for item in replicas
    )


def _primary(conn: psycopg.Connection, beat: Heartbeat | None) -> _Primary:
    row = conn.execute(POSITION).fetchone()
    assert row is not None
    lsn, now = row
    standbys = tuple(_Standby(*found) for found in conn.execute(STANDBYS)) if lsn is not None else ()
    return _Primary(lsn, now, standbys, beat if beat and now - beat.at < beats.STALE_AFTER_S else None)


def _direct(
    replica: ExpectedReplica, found: Reading | Silence, primary: _Primary, system_identifier: str
) -> ReplicaState:
    """A replica that was read itself."""
    state = ReplicaState(replica.name, "streaming", None, None)
    if isinstance(found, Silence):
        return replace(state, state="unreachable", reason=found.reason)
    if found.system_identifier != system_identifier:
        return replace(state, state="foreign", reason="it is a replica of another cluster. Correct its URL.")
    if not found.is_standby:
        return replace(state, state="foreign", reason="it is not a standby: it takes writes itself. Was it promoted?")
    assert primary.lsn is not None
    lag_bytes = None if found.replay_lsn is None else max(0, primary.lsn - found.replay_lsn)
    state = replace(state, lag_bytes=lag_bytes)
    if primary.beat and found.beat and lag_bytes:
        state = replace(state, lag_s=primary.beat.lag_s(found.beat, primary.now))
    else:
        state = _with_replay_lag(state, primary.named(replica.name))
    if found.is_paused:
        return replace(state, state="paused", reason="replay is paused on it. Resume with pg_wal_replay_resume().")
    if not found.has_receiver:
        return replace(state, state="catching_up", reason="it is not connected to the primary: no WAL receiver runs.")
    return state


def _by_name(replica: ExpectedReplica, primary: _Primary) -> ReplicaState:
    """A replica of which we know only what the primary says."""
    state = ReplicaState(replica.name, "unknown", None, None)
    row = primary.named(replica.name)
    if row is None:
        return replace(state, state="missing", reason=f"no standby named {replica.name} is connected to the primary.")
    assert primary.lsn is not None
    if row.state is None:  # a role without that right sees the rows, but little in them
        return replace(state, reason="the role may not read pg_stat_replication. GRANT pg_monitor to it.")
    if row.replay_lsn is None:
        return replace(state, reason="the primary does not say how far it has replayed.")
    state = _with_replay_lag(replace(state, lag_bytes=max(0, primary.lsn - row.replay_lsn)), row)
    if row.state != "streaming":
        return replace(state, state="catching_up", reason=f"the primary says it is in state {row.state}.")
    return replace(state, state="streaming")


def _with_replay_lag(state: ReplicaState, row: _Standby | None) -> ReplicaState:
    """Seconds without a heartbeat: none when every byte is replayed, else the primary's figure where it has one."""
    if state.lag_bytes == 0:
        return replace(state, lag_s=0.0)
    if row is not None and row.replay_lag_s is not None:
        return replace(state, lag_s=row.replay_lag_s)
    return replace(state, reason="its lag in seconds is not known: no heartbeat is written, the primary gives none.")
