"""What PostgreSQL really does with a case: the strongest lock, what it rewrites, how it fails, and what is lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import psycopg
import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations
from psycopg.pq import TransactionStatus

from bench import case_project
from bench.cases import Case, Fresh, run_script
from migrations_app.engines.risk import statements
from migrations_app.engines.risk.locking.lock_modes import stronger
from tests.risk_cases import contents

USER_RELATIONS = """
    SELECT c.oid, c.relfilenode FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"""
LOCKS = """SELECT DISTINCT mode FROM pg_locks WHERE pid = %s AND locktype = 'relation' AND granted
    AND relation = ANY (%s)"""
WAITS = "SELECT mode, coalesce(relation = ANY (%s), false) FROM pg_locks WHERE pid = %s AND NOT granted"
# PostgreSQL refuses these inside a transaction block; what they lock is gone before anybody can look.
ALONE = ("CONCURRENTLY", "VACUUM", "CREATE DATABASE", "DROP DATABASE", "ALTER SYSTEM")
PATIENCE_S = 3.0


@dataclass
class Observed:
    """`before` and `after` are the contents. No `after`: the input failed, or what it left `is_unreadable`."""

    lock: str | None = None
    rewrite: bool = False
    fails: str | None = None
    why: str = ""
    is_hidden: bool = False
    is_unreadable: bool = False
    before: contents.Contents | None = None
    after: contents.Contents | None = None
    sent: list[str] = field(default_factory=list)

    def look(self, conn: psycopg.Connection, nodes: dict[int, int]) -> None:
        """What the session holds now, and which of the relations that were there before have a new file."""
        if conn.info.transaction_status == TransactionStatus.INERROR:
            return
        with conn.cursor() as cursor:
            for (mode,) in cursor.execute(LOCKS, [conn.info.backend_pid, list(nodes)]).fetchall():
                self.lock = stronger(self.lock, words(mode))
            now = dict(cursor.execute(USER_RELATIONS).fetchall())
            changed = [oid for oid, node in nodes.items() if now.get(oid, node) != node]
            if changed and "truncate" in " ".join(self.sent).lower():
                changed = [oid for oid in changed if _bytes(cursor, oid)]  # TRUNCATE puts an empty file in place
            self.rewrite = self.rewrite or bool(changed)

    def compare(self, conn: psycopg.Connection) -> None:
        """Read the contents again, unless this run only asks for locks."""
        if self.before is None:
            return
        try:
            self.after = contents.read(conn)
        except psycopg.errors.InvalidBinaryRepresentation:  # a row holds a label that its enum no longer has
            self.is_unreadable = True


def words(mode: str) -> str:
    """AccessExclusiveLock -> ACCESS EXCLUSIVE."""
    return "".join(f" {letter}" if letter.isupper() else letter for letter in mode.removesuffix("Lock")).strip().upper()


def _bytes(cursor: psycopg.Cursor, oid: int) -> int:
    row = cursor.execute("SELECT pg_relation_size(%s::oid::regclass)", [oid]).fetchone()
    assert row is not None
    return int(row[0])


def observe(case: Case, fresh: Fresh) -> Observed:
    """Run the case. Where it fails or hides its locks, run it again behind locks, and see what it asks for.

    Behind ACCESS EXCLUSIVE its first wish is seen, whatever it is; behind ACCESS SHARE, whether it ever wants all.
    """
    seen = _run(case, fresh, behind="")
    if seen.fails or seen.is_hidden:
        for mode in ("ACCESS EXCLUSIVE", "ACCESS SHARE"):
            asked = _run(case, fresh, behind=mode)
            assert asked.fails == seen.fails, f"{seen.fails} and {asked.fails} of two runs"
            seen.lock = stronger(seen.lock, asked.lock)
            if seen.lock in (None, "ACCESS EXCLUSIVE"):
                break
    return seen


def _run(case: Case, fresh: Fresh, *, behind: str) -> Observed:
    with fresh() as url, psycopg.connect(url, autocommit=True) as watcher:
        run_script(watcher, case.setup)
        nodes = dict(watcher.execute(USER_RELATIONS).fetchall())
        seen = Observed(before=None if behind else contents.read(watcher))
        run = _run_alembic if case.kind == "alembic" else _run_sql
        if not behind:
            run(case, url, nodes, seen, lambda _pid: None)
            return seen
        with _held(watcher, nodes, behind) as release:
            started: list[int] = []
            thread = threading.Thread(target=run, args=(case, url, nodes, seen, started.append))
            thread.start()
            asked = _asked_for(url, thread, started, nodes)
            release()
            thread.join()
        seen.lock = stronger(seen.lock, asked)
        return seen


@contextmanager
def _held(conn: psycopg.Connection, nodes: dict[int, int], mode: str) -> Iterator[Callable[[], object]]:
    """Every table under a lock, so that whoever wants one that conflicts waits and shows which."""
    conn.execute("BEGIN")
    for oid in nodes:
        (name, kind) = conn.execute(
            "SELECT oid::regclass::text, relkind FROM pg_class WHERE oid = %s", [oid]
        ).fetchone()
        if kind in ("r", "p", "v"):
            conn.execute(f"LOCK TABLE {'' if kind == 'v' else 'ONLY'} {name} IN {mode} MODE")
    yield lambda: conn.execute("ROLLBACK")


def _asked_for(url: str, thread: threading.Thread, started: list[int], nodes: dict[int, int]) -> str | None:
    """The mode that the run waits for. None: it ends without one, or waits for our transaction, not for a table."""
    deadline = time.monotonic() + PATIENCE_S
    with psycopg.connect(url, autocommit=True) as conn:
        while thread.is_alive() and time.monotonic() < deadline:
            for mode, of_table in conn.execute(WAITS, [list(nodes), *(started or [0])]):
                return words(mode) if of_table else None
            time.sleep(0.005)
    return None


def _run_sql(case: Case, url: str, nodes: dict[int, int], seen: Observed, begun: Callable[[int], None]) -> None:
    with psycopg.connect(url, autocommit=not case.is_transactional) as conn:
        begun(conn.info.backend_pid)
        try:
            for statement in statements.parse(case.upgrade):
                seen.sent.append(statement.sql)
                _execute(conn, statement.sql, nodes, seen)
            seen.compare(conn)
        except psycopg.Error as error:
            seen.fails, seen.why = error.sqlstate, str(error)
        with suppress(psycopg.Error):
            conn.rollback()


def _execute(conn: psycopg.Connection, sql: str, nodes: dict[int, int], seen: Observed) -> None:
    is_alone = any(word in sql.upper() for word in ALONE)
    seen.is_hidden = seen.is_hidden or is_alone
    idle = conn.info.transaction_status == TransactionStatus.IDLE
    if conn.autocommit and idle and not is_alone and not sql.upper().startswith(("BEGIN", "START")):
        with conn.transaction():
            _send(conn, sql)
            seen.look(conn, nodes)
        return
    _send(conn, sql)
    seen.look(conn, nodes)


def _send(conn: psycopg.Connection, sql: str) -> None:
    if sql.upper().startswith("COPY") and "TO STDOUT" in sql.upper():
        with conn.cursor() as cursor, cursor.copy(sql.encode()) as copy:
            for _ in copy:
                pass
        return
    conn.execute(sql.encode())


def _run_alembic(case: Case, url: str, nodes: dict[int, int], seen: Observed, begun: Callable[[int], None]) -> None:
    engine = sa.create_engine(urlsplit(url)._replace(scheme="postgresql+psycopg").geturl(), poolclass=sa.NullPool)
    with engine.connect() as connection:
        raw: Any = connection.connection.driver_connection
        begun(raw.info.backend_pid)

        def looked(_conn: object, _cursor: object, statement: str, *_more: object) -> None:
            seen.sent.append(statement)
            seen.is_hidden = seen.is_hidden or any(word in statement.upper() for word in ALONE)
            seen.look(raw, nodes)

        sa.event.listen(connection, "after_cursor_execute", looked)
        try:
            _upgrade(case, connection)
            seen.compare(raw)
        except sa.exc.DBAPIError as error:
            seen.fails, seen.why = getattr(error.orig, "sqlstate", None), str(error.orig)
        connection.rollback()
    engine.dispose()


def _upgrade(case: Case, connection: sa.Connection) -> None:
    """As Alembic runs it online: in one transaction, from which only autocommit_block() steps out."""
    namespace: dict[str, Any] = {}
    exec(compile(case_project.source("case", case), case.id, "exec"), namespace)
    context = MigrationContext.configure(connection, opts={"transaction_per_migration": True})
    transaction = context.begin_transaction(_per_migration=True)
    transaction.__enter__()
    namespace["op"] = Operations(context)  # the module alembic.op is one for all threads
    namespace["upgrade"]()
