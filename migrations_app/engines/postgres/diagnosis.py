"""Why a connection could not be made, in words, with what to do about it.

libpq tells the cause of a failed connection only as text, in the language of the server, and psycopg's error then has
no SQLSTATE. Facts are to be had in two other ways, both used here after a failure: the operating system's error when
we open the TCP connection ourselves, and libpq's own protocol trace (Linux, libpq >= 18; psycopg's wheels have it),
which shows the server's ErrorResponse with its SQLSTATE, also inside TLS. Where neither says anything, so do we.
"""

from __future__ import annotations

import os
import re
import select
import socket
import time
from collections.abc import Mapping
from typing import Literal

import psycopg
from psycopg import pq
from psycopg.conninfo import make_conninfo

from migrations_app.engines.postgres.address import Address
from migrations_app.errors import TargetUnreachable

ERROR_RESPONSE = re.compile(rb'^B\t\d+\tErrorResponse\t.*? C "([0-9A-Z]{5})"', re.MULTILINE)
Cause = Literal[
    "unresolved", "refused", "timeout", "network", "handshake", "lost",
    "password", "no_login", "no_database", "no_connect", "too_many_connections", "starting", "refused_by_server",
    "standby", "read_only",
]  # fmt: skip
RETRYABLE = frozenset({"refused", "timeout", "network", "lost", "too_many_connections", "starting"})
MEANINGS: dict[str, tuple[Cause, str]] = {
    "28P01": ("password", "the password of role {user} is wrong (28P01). Correct the target's URL or its secret."),
    "28000": (
        "no_login",
        "role {user} may not log in to database {database} from here (28000). "
        "Give the role LOGIN, or add this host to the server's pg_hba.conf.",
    ),
    "3D000": ("no_database", "there is no database {database} on that server (3D000). Correct the name in the URL."),
    "42501": ("no_connect", "role {user} lacks CONNECT on database {database} (42501). Grant it."),
    "53300": (
        "too_many_connections",
        "the server has no connection left for role {user} (53300). "
        "Wait for others to leave, or raise max_connections or the role's limit.",
    ),
    "57P03": ("starting", "the server is starting up, recovering or shutting down (57P03). Try again in a moment."),
}


class Unreachable(TargetUnreachable):
    """The target database does not answer"""

    def __init__(self, address: Address, cause: Cause, why: str) -> None:
        super().__init__(f"{address.redacted} cannot be used: {why}")
        self.cause = cause

    @property
    def is_retryable(self) -> bool:
        """Whether the same attempt may well succeed later without anybody changing anything."""
        return self.cause in RETRYABLE


def unreachable(address: Address, libpq: Mapping[str, str], failure: psycopg.Error, timeout_s: float) -> Unreachable:
    """The error to raise for a connection that failed."""
    if isinstance(failure, psycopg.errors.ConnectionTimeout):
        cause, why = _network(address, 1.0) or _silent(timeout_s)  # the long wait is over: one look is enough
    else:
        cause, why = _network(address, timeout_s) or _server(address, libpq, failure, timeout_s)
    return Unreachable(address, cause, why)


def _network(address: Address, timeout_s: float) -> tuple[Cause, str] | None:
    """What the operating system says about that host and port; None when somebody answers there."""
    where = f"{address.host} port {address.port}"
    try:
        socket.create_connection((address.host, address.port), timeout=timeout_s).close()
    except (socket.gaierror, UnicodeError):
        return "unresolved", f"the name {address.host} is not known here. Correct the host, or the DNS of this machine."
    except TimeoutError:
        return "timeout", f"{where} did not answer in time. Look at firewalls and at the server."
    except ConnectionRefusedError:
        return "refused", f"nothing listens on {where}. Start the server, or correct host and port."
    except OSError as problem:
        reason = os.strerror(problem.errno) if problem.errno else type(problem).__name__
        return "network", f"the network refuses {where} ({reason}). Look at routes and firewalls."
    return None


def _silent(timeout_s: float) -> tuple[Cause, str]:
    return "timeout", f"the server took the connection but said nothing for {timeout_s:g} s. Is it overloaded?"


def _server(address: Address, libpq: Mapping[str, str], failure: psycopg.Error, timeout_s: float) -> tuple[Cause, str]:
    names = {"user": address.user, "database": address.database}
    if failure.pgconn is not None and failure.pgconn.needs_password:
        return "password", f"the server wants a password for role {address.user}, and the URL has none. Add it."
    sqlstate = failure.sqlstate or handshake_sqlstate(libpq, timeout_s)
    if sqlstate in MEANINGS:
        cause, text = MEANINGS[sqlstate]
        return cause, text.format(**names)
    if sqlstate:
        return "refused_by_server", f"the server refused the session with SQLSTATE {sqlstate}. Look at its log."
    # TLS, certificates and foreign protocols: libpq has text only. It is not shown, as it may quote what it was given.
    return (
        "handshake",
        "somebody answers there, but the handshake fails. Look at sslmode, certificates, and whether it is PostgreSQL.",
    )


def handshake_sqlstate(conninfo: Mapping[str, str], timeout_s: float) -> str | None:
    """Connect once more under libpq's protocol trace and return the SQLSTATE that the server refuses us with.

    None when it did not refuse (any more), or where libpq cannot trace. The trace holds credentials in transit: it
    goes to anonymous memory, is searched for that one field, and is gone.
    """
    conn = pq.PGconn.connect_start(make_conninfo("", **conninfo).encode())
    with os.fdopen(os.memfd_create("tidegate-handshake"), "w+b") as trace:
        try:
            if conn.status == pq.ConnStatus.BAD:
                return None
            conn.trace(os.dup(trace.fileno()))  # libpq closes its own copy
            conn.set_trace_flags(pq.Trace.SUPPRESS_TIMESTAMPS)
            _poll(conn, time.monotonic() + timeout_s)
            conn.untrace()
        except psycopg.NotSupportedError:
            return None
        finally:
            conn.finish()
        trace.seek(0)
        found = ERROR_RESPONSE.search(trace.read())
    return found[1].decode() if found else None


def _poll(conn: pq.abc.PGconn, deadline: float) -> None:
    status = pq.PollingStatus.WRITING
    while status in (pq.PollingStatus.READING, pq.PollingStatus.WRITING):
        left_s = max(0.0, deadline - time.monotonic())
        wants = [conn.socket]
        reading = status == pq.PollingStatus.READING
        if not any(select.select(wants if reading else [], [] if reading else wants, [], left_s)):
            return
        status = pq.PollingStatus(conn.connect_poll())
