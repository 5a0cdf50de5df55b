"""What a PostgreSQL error means for us, by its SQLSTATE and never by its text, which servers translate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import psycopg

Kind = Literal[
    "lock_timeout", "deadlock", "statement_timeout", "disk_full", "shutdown", "connection_lost",
    "too_many_connections", "read_only", "permission", "syntax", "undefined", "data", "other",
]  # fmt: skip

# The longest prefix that fits wins: whole states first, then classes.
KINDS: dict[str, Kind] = {
    "55P03": "lock_timeout",
    "40P01": "deadlock",
    "57014": "statement_timeout",
    "53100": "disk_full",
    "53300": "too_many_connections",
    "57P01": "shutdown",
    "57P02": "shutdown",
    "57P03": "shutdown",
    "57P05": "connection_lost",  # idle_session_timeout
    "25P03": "connection_lost",  # idle_in_transaction_session_timeout ends the whole session
    "25P04": "connection_lost",  # transaction_timeout, too
    "08": "connection_lost",
    "25006": "read_only",
    "42501": "permission",
    "28": "permission",
    "42601": "syntax",
    "42P01": "undefined",
    "42703": "undefined",
    "42883": "undefined",
    "42704": "undefined",
    "3F000": "undefined",
    "42P02": "undefined",
    "22": "data",
    "23": "data",
}
RETRYABLE: frozenset[Kind] = frozenset(
    {"lock_timeout", "deadlock", "shutdown", "connection_lost", "too_many_connections"}
)
# A snapshot that lost against another transaction, or a conflict with recovery on a replica: nothing was done.
RETRYABLE_STATES = frozenset({"40001"})
ADVICE: dict[Kind, str] = {
    "lock_timeout": "Somebody holds the table. Try again in a moment, or end the session that blocks.",
    "deadlock": "Two transactions waited for each other, and this one was undone. Try again.",
    "statement_timeout": "The statement was cancelled: it hit the time limit, or a person cancelled it. "
    "Do less at once, or raise statement_timeout_ms.",
    "disk_full": "The server's disk is full; the statement was undone. Free space before anything else runs.",
    "shutdown": "The server ended the session to stop or restart. Try again once it is up.",
    "connection_lost": "The connection broke; whether the last statement counts must be read from the target.",
    "too_many_connections": "No connection is left on the server. Wait, or raise max_connections or the role's limit.",
    "read_only": "The server takes no writes: a standby, or default_transaction_read_only. Was there a failover?",
    "permission": "The role lacks a right. Grant it, or use the role that owns the object.",
    "syntax": "The SQL is not valid on this server version. Correct it.",
    "undefined": "The SQL names something that is not there. Compare the target's schema with the history.",
    "data": "The data does not fit. Clean the rows first, then run it again.",
    "other": "Look at the message and at the server's log.",
}


@dataclass(frozen=True)
class Failure:
    """One error, classified. `message` is the server's own; `sqlstate` is None when the server never answered."""

    kind: Kind
    sqlstate: str | None
    message: str
    is_retryable: bool
    advice: str


def classify(problem: psycopg.Error | str | None) -> Failure:
    """Classify an error of psycopg, or a bare SQLSTATE; None is a connection that went without a word.

    `is_retryable` says that the same work may succeed later unchanged; it does not say that nothing was done: after
    `connection_lost` a commit may or may not have happened.
    """
    if isinstance(problem, psycopg.Error):
        sqlstate, message = problem.sqlstate, problem.diag.message_primary or str(problem)
        # A session that breaks gives an error without SQLSTATE, as there was no server left to say one.
        lost = sqlstate is None and isinstance(problem, psycopg.OperationalError)
    else:
        sqlstate, message, lost = problem, "", problem is None
    kind = "connection_lost" if lost else kind_of(sqlstate or "")
    return Failure(kind, sqlstate, message, kind in RETRYABLE or sqlstate in RETRYABLE_STATES, ADVICE[kind])


def kind_of(sqlstate: str) -> Kind:
    return KINDS.get(sqlstate) or KINDS.get(sqlstate[:2], "other")
