"""The only door to targets: every session of ours has a name, is impatient about locks, and dies with its client."""

from __future__ import annotations

import psycopg

from migrations_app.engines.postgres.address import Address, parse
from migrations_app.engines.postgres.diagnosis import Unreachable, unreachable

# Without these four a network partition hangs a session for ever; with them it fails after about 11 s.
KEEPALIVE = {
    "keepalives": "1",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",
}
CLIENT_CHECK_SINCE = 140000  # client_connection_check_interval came with PostgreSQL 14


def connect(
    address: Address | str,
    *,
    application_name: str,
    lock_timeout_ms: int = 2_000,
    statement_timeout_ms: int = 30_000,
    autocommit: bool = True,
    read_write: bool = False,
    connect_timeout_s: int = 5,
) -> psycopg.Connection:
    """Open a session on a target; a timeout of 0 means none. psycopg takes at least 2 s for `connect_timeout_s`.

    `read_write` refuses standbys and read-only servers. Raises `Unreachable` (a `TargetUnreachable` with the cause and
    the remedy in its detail, and `cause` and `is_retryable` for programs), or `Invalid` for a bad URL.
    """
    address = parse(address) if isinstance(address, str) else address
    conn = _open(address, libpq_parameters(address, application_name, connect_timeout_s), connect_timeout_s)
    try:
        _settle(conn, lock_timeout_ms, statement_timeout_ms)
        if read_write:
            _require_writable(conn, address)
        conn.autocommit = autocommit
    except psycopg.Error:
        conn.close()
        raise Unreachable(address, "lost", "it ended the new session at once. Try again in a moment.") from None
    except Unreachable:
        conn.close()
        raise
    return conn


def _open(address: Address, libpq: dict[str, str], timeout_s: float) -> psycopg.Connection:
    try:
        return psycopg.connect(autocommit=True, **libpq)  # type: ignore[arg-type] # a dict of str fits no keyword
    except psycopg.Error as failure:
        problem = unreachable(address, libpq, failure, timeout_s)
    # Out here, so that libpq's own text, which may quote what it was given, is nowhere in the chain of a traceback.
    raise problem


def libpq_parameters(address: Address, application_name: str, connect_timeout_s: int) -> dict[str, str]:
    """The whole connection as libpq keywords, password included: for libpq or a 0600 service file, not for people."""
    return {
        **KEEPALIVE,
        **dict(address.options),
        "host": address.host,
        "port": str(address.port),
        "dbname": address.database,
        "user": address.user,
        # An empty password and a path that cannot exist keep libpq from offering this process's own PGPASSWORD or
        # ~/.pgpass to a foreign server.
        "password": address.password or "",
        "passfile": "/dev/null/none",
        "application_name": application_name,
        "connect_timeout": str(connect_timeout_s),
        "client_encoding": "utf8",
        "gssencmode": "disable",  # else a Kerberos ticket of this machine changes how we log in
    }


def _settle(conn: psycopg.Connection, lock_timeout_ms: int, statement_timeout_ms: int) -> None:
    """Set the limits by SQL, not in the start-up packet: poolers refuse unknown parameters there."""
    settings = {"lock_timeout": f"{lock_timeout_ms}ms", "statement_timeout": f"{statement_timeout_ms}ms"}
    if conn.info.server_version >= CLIENT_CHECK_SINCE:
        # A dead client's statement otherwise goes on, and commits, long after its client is gone.
        settings["client_connection_check_interval"] = "1s"
    try:
        _set(conn, settings)
    except psycopg.errors.InvalidParameterValue:  # the server's platform (Windows) cannot watch its sockets
        settings.pop("client_connection_check_interval", None)
        _set(conn, settings)


def _set(conn: psycopg.Connection, settings: dict[str, str]) -> None:
    calls = ", ".join(["set_config(%s, %s, false)"] * len(settings))
    conn.execute(f"SELECT {calls}".encode(), [part for pair in settings.items() for part in pair])


def _require_writable(conn: psycopg.Connection, address: Address) -> None:
    """What target_session_attrs=read-write does, but with a reason: libpq would say both cases in one sentence."""
    row = conn.execute("SELECT pg_is_in_recovery(), current_setting('transaction_read_only') = 'on'").fetchone()
    assert row is not None
    in_recovery, read_only = row
    if in_recovery:
        raise Unreachable(address, "standby", "it is a standby, which takes no writes. Name the primary: a failover?")
    if read_only:
        raise Unreachable(
            address, "read_only", "default_transaction_read_only is on there. Find out who set that, and why."
        )
