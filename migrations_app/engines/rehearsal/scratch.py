"""Scratch databases: made fresh, named so that nobody takes one for a target, and dropped whatever happens."""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import psycopg
from psycopg import sql

from migrations_app.engines.postgres.address import Address
from migrations_app.engines.postgres.connect import connect
from migrations_app.engines.postgres.diagnosis import Unreachable
from migrations_app.errors import Invalid, Unprocessable

PREFIX = "tidegate_rehearsal_"
NAME = "tidegate:rehearsal"
LEFTOVER_S = 86_400  # what a killed worker has left is dropped by the next rehearsal after a day
MAKE_TIMEOUT_MS = 300_000
SETTINGS = """
SELECT split_part(setting, '=', 1), substr(setting, strpos(setting, '=') + 1)
FROM pg_db_role_setting s, unnest(s.setconfig) AS setting
WHERE s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
  AND s.setrole IN (0, (SELECT oid FROM pg_roles WHERE rolname = current_user))
ORDER BY s.setrole, s.setdatabase
"""
# Given as a list of names: each part is quoted by itself.
LISTS = frozenset({"search_path", "temp_tablespaces", "session_preload_libraries", "local_preload_libraries"})


@dataclass(frozen=True)
class Scratch:
    """One scratch database. `server` is a database on the same server from which it can be dropped; the rest is what
    is known of the target whose schema it has (versions as server_version_num). `has_rows`: rows were copied too, so
    code that reads rows is tried as well."""

    address: Address
    server: Address
    server_version: int
    target_version: int
    fingerprint: str = ""
    notes: tuple[str, ...] = ()
    has_rows: bool = False


@contextmanager
def fresh(server: Address, *, like: Sequence[str] = ()) -> Iterator[Scratch]:
    """A new, empty database on the server that `server` names; `like` is the encoding, collation and character type
    it shall have if the server knows them.

    Raises `Unreachable`, or `Unprocessable` when the role may not create databases.
    """
    sweep(server)
    ways: list[sql.Composable] = [sql.SQL("TEMPLATE template0")]
    if like:
        wanted = "TEMPLATE template0 ENCODING {} LC_COLLATE {} LC_CTYPE {}"
        ways.insert(0, sql.SQL(wanted).format(*map(sql.Literal, like)))
    with _made(server, ways) as scratch:
        yield scratch


@contextmanager
def clone(source: Scratch) -> Iterator[Scratch]:
    """A copy of a scratch database, with rows if it has any. Nobody may be connected to the source meanwhile."""
    _require_scratch(source.address)
    with _made(source.server, [_template(source.address.database)]) as made:
        _take_settings(made, source)
        yield replace(source, address=made.address)


def remake(copy: Scratch, source: Scratch) -> None:
    """Makes a clone anew from its source, under the same name; its sessions are ended."""
    _require_scratch(source.address)
    with _session(source.server) as conn:
        conn.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(copy.address.database)))
        _create(conn, copy.address.database, [_template(source.address.database)], source.server)
    _take_settings(copy, source)


@contextmanager
def clone_of_database(source: Address, server: Address) -> Iterator[Scratch]:
    """A copy, rows included, of a database that is itself there to be tried on, never of a target: for benchmarks.

    `source` must be on the server of `server`, and nobody may be connected to it.
    """
    with _made(server, [_template(source.database)]) as scratch:
        yield replace(scratch, has_rows=True)


def apply_settings(scratch: Scratch, settings: Sequence[tuple[str, str]]) -> list[str]:
    """Gives the database these settings for all its sessions; returns the names of those that the server refused."""
    refused = []
    with _session(scratch.server) as conn:
        for name, value in settings:
            parts = [part.strip().strip('"') for part in value.split(",")] if name in LISTS else [value]
            written = sql.SQL(", ").join([sql.Literal(part) for part in parts])
            command = sql.SQL("ALTER DATABASE {} SET {} = {}").format(
                sql.Identifier(scratch.address.database), sql.Identifier(*name.split(".")), written
            )
            try:
                conn.execute(command)
            except psycopg.Error:
                refused.append(name)
    return refused


def sweep(server: Address) -> None:
    """Drops scratch databases that are older than a day: their worker was killed."""
    with _session(server) as conn:
        for (name,) in conn.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [PREFIX]):
            with contextlib.suppress(ValueError, psycopg.Error):  # another's, or being dropped by another this moment
                if time.time() - int(name[len(PREFIX) :].split("_")[0], 16) > LEFTOVER_S:
                    conn.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


@contextmanager
def _made(server: Address, ways: Sequence[sql.Composable]) -> Iterator[Scratch]:
    """The first way that the server accepts."""
    name = f"{PREFIX}{int(time.time()):x}_{secrets.token_hex(4)}"
    with _session(server) as conn:
        version = conn.info.server_version
        notes = _create(conn, name, ways, server)
    address = replace(server, database=name)
    try:
        yield Scratch(address, server, version, version, notes=notes)
    finally:
        # What cannot be dropped now (the server is gone) the sweep drops later.
        with contextlib.suppress(psycopg.Error, Unreachable), _session(server) as conn:
            conn.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def _create(conn: psycopg.Connection, name: str, ways: Sequence[sql.Composable], server: Address) -> tuple[str, ...]:
    refusal = ""
    for way in ways:
        try:
            conn.execute(sql.SQL("CREATE DATABASE {} {}").format(sql.Identifier(name), way))
        except psycopg.Error as error:
            refusal = _said(error)
        else:
            return (f"The scratch database has another locale than the target: {refusal}",) if refusal else ()
    raise Unprocessable(
        f"No scratch database can be made on {server.host}:{server.port}: {refusal} "
        "Give the role of the scratch server CREATEDB, or name another server for rehearsals.",
        code="scratch_not_made",
    )


def _template(database: str) -> sql.Composable:
    return sql.SQL("TEMPLATE {}").format(sql.Identifier(database))


def _take_settings(copy: Scratch, source: Scratch) -> None:
    """CREATE DATABASE copies no settings that ALTER DATABASE has made."""
    with _session(source.address) as conn:
        found = conn.execute(SETTINGS).fetchall()
    if found:
        apply_settings(copy, found)


def _session(address: Address) -> psycopg.Connection:
    return connect(address, application_name=NAME, statement_timeout_ms=MAKE_TIMEOUT_MS, lock_timeout_ms=0)


def _require_scratch(address: Address) -> None:
    if not address.database.startswith(PREFIX):
        raise Invalid.field(
            "/scratch", f"{address.database} is no scratch database. A rehearsal never runs on a target."
        )


def _said(error: psycopg.Error) -> str:
    said = (error.diag.message_primary or "the connection broke").rstrip(".")
    return f"{said} (SQLSTATE {error.sqlstate})." if error.sqlstate else f"{said}."
