"""What a statement really does on a server: the locks it takes on tables that were there, its scans and rewrites."""

from __future__ import annotations

import re
import secrets
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from migrations_app.engines.risk.locking.lock_modes import stronger

HERE = Path(__file__).parent
CASES, SETUP = HERE / "lock_cases.sql", HERE / "lock_setup.sql"
_NAME = "lock_cases"
"""Stands in the files for a name of this run's own, of the database and of what is shared by all databases."""

_RELATIONS = """
    SELECT c.oid, n.nspname || '.' || c.relname, c.relfilenode, pg_stat_get_xact_numscans(c.oid)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname IN ('public', 'other', 'full_one')"""
_LOCKS = "SELECT relation, mode FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'relation'"
_WAITS = "SELECT relation, mode FROM pg_locks WHERE pid = %s AND locktype = 'relation' AND NOT granted"
# With these a sequential scan is only planned where no index can help, as on a table too large to read.
_LARGE = "SET enable_seqscan = off; SET enable_indexonlyscan = off; SET enable_mergejoin = off"
_PATIENCE_S = 3.0


@dataclass(frozen=True)
class Case:
    """One line of lock_cases.sql."""

    sql: str
    flags: frozenset[str]
    first_version: int = 0
    last_version: int = 99

    @property
    def is_waited_for(self) -> bool:
        """Whether its locks are seen by letting it wait for them: it fails, or runs outside of a transaction."""
        return bool(self.flags & {"fails", "outside"})


@dataclass
class Measured:
    """By qualified name: the strongest mode; which were scanned and rewritten, None when that was not measured."""

    locks: dict[str, str] = field(default_factory=dict)
    scans: frozenset[str] | None = None
    rewrites: frozenset[str] | None = None


def cases(server_version: int, name: str) -> list[Case]:
    """Those that run on this version, in the database of this name."""
    lines = CASES.read_text().replace(_NAME, name).splitlines()
    found = [_case(line) for line in lines if line and not line.startswith("--")]
    return [case for case in found if case.first_version <= server_version // 10000 <= case.last_version]


def _case(line: str) -> Case:
    match = re.match(r"/\* (.*?) \*/ ", line)
    flags = match.group(1).split() if match else []
    first = next((int(flag[:-1]) for flag in flags if re.fullmatch(r"\d+\+", flag)), 0)
    last = next((int(flag[1:]) for flag in flags if re.fullmatch(r"-\d+", flag)), 99)
    return Case(line[match.end() :] if match else line, frozenset(flags), first, last)


@contextmanager
def scratch_database(server_url: str) -> Iterator[tuple[str, str]]:
    """The name and URL of a database with the objects of lock_setup.sql; dropped afterwards, with role and space."""
    name = f"{_NAME}_{secrets.token_hex(3)}"
    with psycopg.connect(server_url, autocommit=True) as admin:
        admin.execute("SET allow_in_place_tablespaces = on")
        admin.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        admin.execute(f"CREATE TABLESPACE {name}_space LOCATION ''")
        url = urlsplit(server_url)._replace(path=f"/{name}").geturl()
        try:
            with psycopg.connect(url, autocommit=True) as conn:
                conn.execute(SETUP.read_text().replace(_NAME, name).encode())
                conn.execute("ANALYZE")
            yield name, url
        finally:
            admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            admin.execute(f"DROP TABLESPACE IF EXISTS {name}_space")
            admin.execute(f"DROP ROLE IF EXISTS {name}_owner")


class Scene:
    """Three connections: one that runs the cases, one for queries on large tables, one that makes others wait."""

    def __init__(self, url: str) -> None:
        self.ddl, self.dml, self.other = (psycopg.connect(url, autocommit=True) for _ in range(3))
        self.dml.execute(_LARGE)
        self.names = {oid: name for oid, name, *_ in self.ddl.execute(_RELATIONS)}

    def close(self) -> None:
        for conn in (self.ddl, self.dml, self.other):
            conn.close()

    def measure(self, before: Sequence[str], statement: str, *, is_query: bool) -> Measured:
        """Run it in a transaction that is rolled back."""
        conn = self.dml if is_query else self.ddl
        conn.execute("BEGIN")
        try:
            for each in before:
                conn.execute(each.encode())
            known = {oid: (name, node, scans) for oid, name, node, scans in conn.execute(_RELATIONS)}
            _run(conn, statement)
            locks = set(conn.execute(_LOCKS).fetchall())
            after = {oid: (node, scans) for oid, _, node, scans in conn.execute(_RELATIONS)}
        finally:
            conn.execute("ROLLBACK")
            conn.execute("RESET ROLE")
        old = {oid: row for oid, row in known.items() if oid in self.names}
        return Measured(
            _strongest((self.names[oid], mode) for oid, mode in locks if oid in self.names),
            frozenset(name for oid, (name, _, scans) in old.items() if after.get(oid, (0, scans))[1] > scans),
            frozenset(name for oid, (name, node, _) in old.items() if after.get(oid, (node, 0))[0] != node),
        )

    def wait_for(self, before: Sequence[str], statement: str, candidates: Sequence[str], *, outside: bool) -> Measured:
        """The first lock that it asks for on each of the candidates, which another session holds meanwhile."""
        found = Measured()
        for name in candidates:
            mode = self._wait(before, statement, name, outside=outside)
            if mode is not None:
                found.locks[name] = mode
        return found

    def _wait(self, before: Sequence[str], statement: str, name: str, *, outside: bool) -> str | None:
        oid = next(oid for oid, known in self.names.items() if known == name)
        self.other.execute("BEGIN")
        self._hold(name, weakly=outside)
        if not outside:
            self.ddl.execute("BEGIN")
            for each in before:
                self.ddl.execute(each.encode())
        runner = threading.Thread(target=_quietly, args=(self.ddl, statement))
        runner.start()
        mode = None
        give_up = time.monotonic() + _PATIENCE_S
        while mode is None and runner.is_alive() and time.monotonic() < give_up:
            waits = self.other.execute(_WAITS, [self.ddl.info.backend_pid]).fetchall()
            mode = next((words(mode) for relation, mode in waits if relation == oid), None)
            runner.join(0.002)
        self.ddl.cancel_safe()
        runner.join()
        self.other.execute("ROLLBACK")
        if not outside:
            self.ddl.execute("ROLLBACK")
        return mode

    def _hold(self, name: str, *, weakly: bool) -> None:
        schema, _, relation = name.partition(".")
        kind = self.other.execute("SELECT relkind FROM pg_class WHERE oid = %s::regclass", [name]).fetchone()
        assert kind is not None
        target = sql.Identifier(schema, relation)
        if kind[0] in ("r", "p"):
            # Maintenance looks at the table first: what it then takes does not go with SHARE UPDATE EXCLUSIVE.
            mode = sql.SQL("SHARE UPDATE EXCLUSIVE" if weakly else "ACCESS EXCLUSIVE")
            self.other.execute(sql.SQL("LOCK TABLE ONLY {} IN {} MODE").format(target, mode))
        else:
            # LOCK TABLE of a view locks what it reads as well; a comment holds the one relation, as strongly as needed.
            self.other.execute(sql.SQL("ALTER TABLE {} OWNER TO CURRENT_USER").format(target))


def _run(conn: psycopg.Connection, statement: str) -> None:
    if statement.endswith("TO STDOUT"):
        with conn.cursor().copy(statement) as copy:
            for _ in copy:
                pass
    else:
        conn.execute(statement.encode())


def _quietly(conn: psycopg.Connection, statement: str) -> None:
    try:
        conn.execute(statement.encode())
    except psycopg.Error:
        return


def _strongest(locks: Iterable[tuple[str, str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, mode in locks:
        found[name] = stronger(found.get(name), words(mode)) or ""
    return found


def words(mode: str) -> str:
    """AccessExclusiveLock -> ACCESS EXCLUSIVE."""
    return "".join(f" {letter}" if letter.isupper() else letter for letter in mode.removesuffix("Lock")).strip().upper()
