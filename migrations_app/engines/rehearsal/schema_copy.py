"""The schema of a target, without a single row, in a scratch database: by pg_dump, and statement by statement in again.

The target is only read: pg_dump takes ACCESS SHARE on its tables, and gives up rather than wait long for that.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import postgast
import psycopg
from psycopg import sql

from migrations_app.engines.postgres.address import Address
from migrations_app.engines.postgres.catalog import FIND_TABLE, read_heads
from migrations_app.engines.postgres.connect import connect, libpq_parameters
from migrations_app.engines.postgres.fingerprint import Fingerprint, diff, fingerprint
from migrations_app.engines.rehearsal.dynamic import RECORDER, traced
from migrations_app.engines.rehearsal.programs import pg_dump_for
from migrations_app.engines.rehearsal.scratch import NAME, SETTINGS, Scratch, apply_settings, fresh
from migrations_app.engines.runner.redact import Redactor
from migrations_app.errors import Unprocessable

LOCK_WAIT_MS = 3_000
DUMP_TIMEOUT_S = 300
NOTES = 50
OPTIONS = (
    "--schema-only", "--no-owner", "--no-privileges", "--no-subscriptions", "--no-security-labels",
    "--no-tablespaces", "--no-password", "--exclude-schema=tidegate", f"--lock-wait-timeout={LOCK_WAIT_MS}",
    "--encoding=UTF8",
)  # fmt: skip
LIKE = """
SELECT pg_encoding_to_char(encoding), datcollate, datctype FROM pg_database WHERE datname = current_database()
"""
ROUTINES = """
SELECT p.oid::regprocedure::text, pg_get_functiondef(p.oid)
FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE l.lanname = 'plpgsql' AND n.nspname <> 'tidegate' AND p.prosrc ~* 'execute'
"""
# pg_dump's own settings are those of its version; these are what a restore needs.
PREAMBLE = (
    "SET search_path = ''; SET check_function_bodies = off; SET client_min_messages = error; SET row_security = off;"
    "SET xmloption = content; SET synchronous_commit = off; SET statement_timeout = 0; SET lock_timeout = 0;"
)
PSQL_COMMAND = re.compile(r"^\\(un)?restrict .*$", re.M)
SKIPPED = re.compile(r"\s*(SET\s|SELECT pg_catalog\.set_config\('search_path'|CREATE SCHEMA public;?\s*$)", re.I)
COMMENTS = re.compile(r"\A(\s*--[^\n]*\n|\s+)*")


@contextmanager
def copy_schema(
    target: Address, server: Address, *, version_table: str = "alembic_version", version_table_schema: str | None = None
) -> Iterator[Scratch]:
    """A scratch database on `server` with the schema and the heads of `target`; dropped afterwards.

    What cannot be made there (an extension that the scratch server lacks) is in the notes. Raises `Unreachable` for
    either server, `Unprocessable` when the target cannot be dumped or the scratch database not be made.
    """
    with connect(target, application_name=NAME, statement_timeout_ms=DUMP_TIMEOUT_S * 1000) as conn:
        try:
            taken = fingerprint(conn)
            heads = read_heads(conn, version_table=version_table, schema=version_table_schema)
            settings = conn.execute(SETTINGS).fetchall()
            like = conn.execute(LIKE).fetchone()
        except psycopg.Error as error:
            raise _unreadable(target, f"{error.diag.message_primary} (SQLSTATE {error.sqlstate})") from None
        version = conn.info.server_version
    assert like is not None
    dumped = _dump(target, version)
    with fresh(server, like=like) as scratch:
        notes = list(scratch.notes)
        if scratch.server_version // 10_000 != version // 10_000:
            notes.append(
                f"The target runs PostgreSQL {version // 10_000}, the scratch server "
                f"{scratch.server_version // 10_000}: locks and errors may differ."
            )
        notes += _restore(scratch.address, dumped)
        notes = notes or _deviations(scratch.address, taken)
        if heads:
            _set_heads(scratch.address, heads, version_table, version_table_schema)
        notes += prepare(scratch)
        # Last: a read-only default of the target would have stopped us.
        notes += [f"Not copied: the setting {name}." for name in apply_settings(scratch, settings)]
        yield replace(scratch, target_version=version, fingerprint=taken.sha256, notes=tuple(notes))


def prepare(scratch: Scratch) -> tuple[str, ...]:
    """Makes the recorder in a scratch database, and every PL/pgSQL routine there use it, those of extensions too.

    Done by `copy_schema`; needed for other scratch databases. Gives notes: which routines could not be changed.
    """
    notes = []
    with _session(scratch.address) as conn:
        conn.execute(RECORDER)
        conn.execute("SET check_function_bodies = off")
        for name, definition in conn.execute(ROUTINES).fetchall():
            if (changed := traced(definition)) != definition:
                try:
                    conn.execute(changed.encode(), prepare=False)
                except psycopg.Error as error:
                    notes.append(f"What {name} puts together is not seen ({error.diag.message_primary}).")
    return tuple(notes)


def _dump(target: Address, version: int) -> str:
    program = pg_dump_for(version)
    with tempfile.TemporaryDirectory(prefix="tidegate-dump-") as private:  # 0700: the password is in it
        service = Path(private) / "service.conf"
        service.touch(mode=0o600)
        parameters = libpq_parameters(target, NAME, 10)
        service.write_text("[target]\n" + "".join(f"{name}={value}\n" for name, value in parameters.items() if value))
        env = {"PGSERVICEFILE": str(service), "PGSERVICE": "target", "HOME": private, "LC_ALL": "C"}
        try:
            done = subprocess.run(
                [program, *OPTIONS], env=env, capture_output=True, timeout=DUMP_TIMEOUT_S, check=False, cwd="/"
            )
        except subprocess.TimeoutExpired:
            raise _unreadable(target, f"pg_dump took longer than {DUMP_TIMEOUT_S} s") from None
    if done.returncode != 0:
        said = Redactor([target.password]).text(done.stderr.decode(errors="replace").strip())
        raise _unreadable(target, " ".join(said.splitlines()[:2])[:500])
    return done.stdout.decode()


def _unreadable(target: Address, why: str) -> Unprocessable:
    return Unprocessable(
        f"The schema of {target} could not be copied for a rehearsal: {why}. "
        "Somebody may hold its tables, or the role may not read them. Try again in a moment.",
        code="rehearsal_no_copy",
    )


def _restore(address: Address, dumped: str) -> list[str]:
    """All at once where that works, which is quick; else one by one, and what fails becomes a note."""
    statements = list(_statements(dumped))
    with _session(address) as conn:
        conn.execute(PREAMBLE)
        try:
            with conn.transaction():
                conn.execute(";\n".join(statements).encode(), prepare=False)
        except psycopg.Error:
            return _one_by_one(conn, statements)
    return []


def _one_by_one(conn: psycopg.Connection, statements: Sequence[str]) -> list[str]:
    notes = []
    for statement in statements:
        try:
            conn.execute(statement.encode(), prepare=False)
        except psycopg.Error as error:
            if conn.broken:
                raise Unprocessable("The scratch server ended the session.", code="rehearsal_no_copy") from None
            what = " ".join(statement.split())[:100]
            notes.append(f"Not copied: {what} ({error.diag.message_primary}, SQLSTATE {error.sqlstate})")
    left = len(notes) - NOTES
    return [*notes[:NOTES], *([f"And {left} more objects were not copied."] if left > 0 else [])]


def _deviations(address: Address, target: Fingerprint) -> list[str]:
    """Where the copy is another than it should be although everything was taken: an extension's version, say."""
    with _session(address) as conn:
        found = diff(target, fingerprint(conn))
    return [f"The copy differs from the target: {each}" for each in found[:NOTES]]


def _statements(dumped: str) -> Iterator[str]:
    text = PSQL_COMMAND.sub("", dumped)
    try:
        parts = postgast.split(text)
    except postgast.PgQueryError:  # of a server newer than the parser
        parts = postgast.split(text, method="scanner")
    for statement in parts:
        bare = COMMENTS.sub("", statement).rstrip().rstrip(";")
        if bare and not SKIPPED.match(bare):
            yield bare


def _set_heads(address: Address, heads: Sequence[str], table: str, schema: str | None) -> None:
    with _session(address) as conn:
        found = conn.execute(FIND_TABLE, {"name": table, "schema": schema}).fetchone()
        if found is None:
            raise Unprocessable(f"The version table {table} could not be copied.", code="rehearsal_no_copy")
        insert = sql.SQL("INSERT INTO {} (version_num) VALUES (%s)").format(sql.Identifier(found[0], table))
        for head in heads:
            conn.execute(insert, [head])


def _session(address: Address) -> psycopg.Connection:
    return connect(address, application_name=NAME, statement_timeout_ms=0, lock_timeout_ms=0)
