"""One Alembic run on one target: lock, wait for the word, then report each revision and each statement."""

from __future__ import annotations

import contextlib
import re
import signal
import time
from collections.abc import Iterator
from typing import Any

from .history import steps
from .project import Project, failure, sqlstate
from .wire import Stopped, Wire

CONCURRENTLY = re.compile(r"\s*(CREATE|DROP|REINDEX)\b.*\bCONCURRENTLY\b", re.IGNORECASE | re.DOTALL)
SQL_CHARS = 64_000  # of one statement that an event carries
LOCK_RETRY_S = 0.2


class Run:
    """What is known while env.py has the floor. All of it may be touched from whatever thread the project runs in."""

    def __init__(self, wire: Wire, spec: dict[str, Any]) -> None:
        self.wire, self.spec = wire, spec
        self.project: Project | None = None
        self.revision: str | None = None  # in flight
        self.applied: list[str] = []
        self.stopped: str | None = None  # sticky: once set, no statement of this process starts any more
        self.completed = self.quiet = self.bookkeeping = False
        self.sessions: list[int] = []  # our backends that went through the gate
        self.busy: Any = None  # the driver's connection whose statement runs now
        wire.on_cancel = self.cancel

    def cancel(self, reason: str) -> None:
        """From another thread. A driver that can cancel ends its statement with 57014; others meet `stopped` next."""
        self.stopped = self.stopped or reason
        cancel = getattr(self.busy, "cancel", None)
        if cancel is not None:
            with contextlib.suppress(Exception):  # the statement may just have ended
                cancel()

    def stop(self, reason: str) -> Stopped:
        self.stopped = self.stopped or reason
        return Stopped(reason)

    # --- what Alembic is given ---

    def steps(self, heads: Any, context: Any) -> Iterator[Any]:
        spec = self.spec
        assert self.project is not None
        todo = self.todo(self.project.rebase(context.script), tuple(heads))
        ids = [s.revision.revision for s in todo]
        if spec["expected"] is not None and ids != spec["expected"]:
            raise self.stop(f"Alembic would run {ids or 'nothing'} here, but the plan says {spec['expected']}")
        for step in todo:
            self.revision = step.revision.revision
            self.wire.send("started", revision=self.revision)
            yield step
        self.revision = None
        self.completed = True

    def todo(self, script: Any, heads: tuple[str, ...]) -> list[Any]:
        return steps(script, self.spec["direction"], self.spec["destination"], heads)

    def on_apply(self, *, step: Any, heads: Any, **_: Any) -> None:
        assert self.revision is not None
        self.applied.append(self.revision)
        self.wire.send("applied", revision=self.revision, heads=sorted(heads), up=bool(step.is_upgrade))

    # --- the gate ---

    def gate(self, context: Any) -> None:
        """Lock on the session that migrates, commit, and wait for the parent's word.

        Without the commit Alembic would take the open transaction for env.py's own, and autocommit_block would fail.
        Later contexts of the same run must be on the same database.
        """
        connection = context.connection
        fresh = not connection.in_transaction()
        self.quiet = True
        try:
            who = self._identity(connection)
            self._lock(connection, fresh)
            heads = context.get_current_heads()
            self._settle(connection, fresh)
        finally:
            self.quiet = False
        if who["database"] != self.spec["database"]:
            raise self.stop(
                f"env.py connects to the database {who['database']}, but the target is {self.spec['database']}"
            )
        first, self.sessions = not self.sessions, [*self.sessions, who["backend_pid"]]
        if first:
            version = {"version_table": context.version_table, "version_table_schema": context.version_table_schema}
            self.wire.send("locked", **who, **version, heads=sorted(heads))
            answer = self.wire.reply()
            if answer["do"] != "go":
                raise self.stop(answer["reason"])

    def _ask(self, connection: Any, sql: str) -> Any:
        from sqlalchemy import text

        return connection.execute(text(sql)).fetchone()

    def _settle(self, connection: Any, fresh: bool) -> None:
        if not fresh:
            return  # env.py's own transaction: not ours to end, and a session lock does not care
        if hasattr(connection, "commit"):
            connection.commit()
        else:
            connection.connection.commit()  # SQLAlchemy before 2.0 has only the driver's

    def _identity(self, connection: Any) -> dict[str, Any]:
        row = self._ask(
            connection,
            "SELECT pg_backend_pid(), current_database(), host(inet_server_addr()), inet_server_port(), current_user,"
            " pg_is_in_recovery()",
        )
        names = ("backend_pid", "database", "server_addr", "server_port", "user", "in_recovery")
        return dict(zip(names, row))  # noqa: B905 - strict= came with Python 3.10

    def _lock(self, connection: Any, fresh: bool) -> None:
        key, until = int(self.spec["lock_key"]), time.monotonic() + self.spec["lock_wait_s"]
        while not self._ask(connection, f"SELECT pg_try_advisory_lock({key})")[0]:
            holder = self._ask(
                connection,
                "SELECT a.pid, a.application_name, a.usename, extract(epoch from now() - a.backend_start)::int"  # noqa: S608 - an int
                " FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE l.locktype = 'advisory' AND l.granted"
                " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
                f" AND (l.classid::bigint << 32 | l.objid::bigint) = {key} AND l.objsubid = 1",
            )
            self._settle(connection, fresh)
            if holder and holder[0] in self.sessions:
                return  # another session of this very run holds it
            if time.monotonic() > until:
                who = (
                    f"backend {holder[0]} ({holder[1] or 'no name'}, {holder[2]}, for {holder[3]} s)" if holder else "?"
                )
                self.wire.send("refused", holder=list(holder) if holder else None)
                raise self.stop(f"another session holds this target's lock: {who}")
            time.sleep(LOCK_RETRY_S)

    # --- what SQLAlchemy tells ---

    def attached(self) -> None:
        """A rehearsal listens to more than a run does."""

    def on_connect(self, dbapi_connection: Any, _record: Any) -> None:
        """Through the driver, so that it also holds for asyncpg, which knows neither a service file nor PGOPTIONS."""
        module = type(dbapi_connection).__module__
        if not module.startswith(("psycopg", "pg8000", "sqlalchemy.dialects.postgresql")):
            return  # projects keep other databases beside this one, as a cache in SQLite
        cursor = dbapi_connection.cursor()
        try:
            cursor.execute("SHOW server_version_num")
            settings = dict(self.spec["settings"])
            if int(cursor.fetchone()[0]) >= 140000:  # ends an orphan's statement 1 s after its client died
                settings["client_connection_check_interval"] = "1000"
            for name, value in settings.items():
                cursor.execute("SELECT set_config('{}', '{}', false)".format(name, str(value).replace("'", "''")))
                cursor.fetchone()
        finally:
            cursor.close()
        dbapi_connection.commit()

    def before(self, connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if self.quiet or connection.dialect.name != "postgresql":
            return
        if self.stopped is not None:
            raise Stopped(self.stopped)
        self.busy = driver(connection)
        if CONCURRENTLY.match(statement):
            self._set(
                connection, "lock_timeout", "0"
            )  # it waits for old snapshots by design, and blocks nobody meanwhile
        connection.info["tidegate_began"] = time.monotonic()

    def after(self, connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if not self.quiet:
            self._tell(connection, statement, rows=cursor.rowcount)

    def on_error(self, context: Any) -> None:
        if not self.quiet and context.connection is not None and context.statement is not None:
            self._tell(context.connection, context.statement, sqlstate=sqlstate(context.original_exception))

    def _tell(self, connection: Any, statement: str, **more: Any) -> None:
        self.busy = None
        began = connection.info.pop("tidegate_began", None)
        if began is None:
            return  # it never started: we stopped it ourselves
        if CONCURRENTLY.match(statement):
            with contextlib.suppress(Exception):  # a broken transaction gives the setting back by itself
                self._set(connection, "lock_timeout", self.spec["settings"]["lock_timeout"])
        of = "env" if self.revision is None else "version_table" if self.bookkeeping else "revision"
        ms = round((time.monotonic() - began) * 1000, 3)
        cut = len(statement) > SQL_CHARS
        told = {"sql": statement[:SQL_CHARS], "cut": cut, "duration_ms": ms, "rows": None, "sqlstate": None, **more}
        self.wire.send("statement", revision=self.revision, of=of, **told)

    def _set(self, connection: Any, name: str, value: str) -> None:
        cursor = connection.connection.cursor()
        try:
            cursor.execute(f"SET {name} = '{value}'")
        finally:
            cursor.close()


def driver(connection: Any) -> Any:
    fairy = connection.connection
    return getattr(fairy, "dbapi_connection", None) or getattr(fairy, "connection", None)


def attach(state: Run) -> None:
    """Into Alembic and SQLAlchemy, at the class level: env.py makes engines of its own."""
    from alembic.runtime import migration
    from sqlalchemy import event
    from sqlalchemy.engine import Engine
    from sqlalchemy.pool import Pool

    event.listen(Pool, "connect", state.on_connect)
    event.listen(Engine, "before_cursor_execute", state.before)
    event.listen(Engine, "after_cursor_execute", state.after)
    event.listen(Engine, "handle_error", state.on_error)
    context: Any = migration.MigrationContext
    maintainer: Any = migration.HeadMaintainer
    init, update = context.__init__, maintainer.update_to_step

    def with_gate(self: Any, dialect: Any, connection: Any, opts: Any, environment_context: Any = None) -> None:
        init(self, dialect, connection, opts, environment_context)
        if environment_context is not None and connection is not None and not self.as_sql:
            self.on_version_apply_callbacks = (*self.on_version_apply_callbacks, state.on_apply)
            state.gate(self)

    def update_to_step(self: Any, step: Any) -> None:
        state.bookkeeping = True
        try:
            update(self, step)
        finally:
            state.bookkeeping = False

    context.__init__, maintainer.update_to_step = with_gate, update_to_step
    state.attached()


def migrate(state: Run) -> None:
    project = state.project
    assert project is not None
    destination = state.spec["destination"]
    project.run_env(project.script(), state.steps, as_sql=False, destination_rev=destination[0])


def run(state: Run) -> int:
    def terminate(_signum: int, _frame: Any) -> None:
        state.cancel("ended by a signal")
        raise Stopped("ended by a signal")

    signal.signal(signal.SIGTERM, terminate)
    error: BaseException | None = None
    try:
        attach(state)
        state.project = Project(state.spec)
        state.project.work(lambda: migrate(state))
    except BaseException as exc:  # noqa: BLE001 - foreign code: exits and cancellations are results too
        error = exc
    return conclude(state, error)


def conclude(state: Run, error: BaseException | None) -> int:
    """Says how it ended. What is applied is not said here: that is read from the version table."""
    reported = {"revision": state.revision, "applied": state.applied}
    if state.stopped is not None:
        more = failure(state.project, error) if error is not None else {}
        state.wire.send("stopped", reason=state.stopped, **reported, error=more or None)
        return 3
    if error is not None and not (isinstance(error, SystemExit) and error.code in (None, 0) and state.completed):
        state.wire.send("failed", **reported, **failure(state.project, error))
        return 1
    if not state.completed:
        message = "env.py ended without running the revisions: it never called context.run_migrations()"
        told: dict[str, Any] = {"type": "NotRun", "message": message, "sqlstate": None, "where": "", "traceback": []}
        state.wire.send("failed", **reported, **told)
        return 1
    state.wire.send("done", **reported)
    return 0
