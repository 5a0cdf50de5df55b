"""A run on a scratch copy: the same run, watched more closely.

Events beside those of a run:
`schema`   revision (None before the first), added, removed: lines of the catalog, against the event before
`rewrite`  sql: waits for the parent, who makes dynamic SQL in it tell what it runs
`fetched`  number: the rows of this statement were looked at
`unseen`   revision, what: the revision did something that no session of ours shows
`statement` also has number, autocommit, locks, held, new_tables, rewritten, candidates, hidden and dynamic.
"""

from __future__ import annotations

import base64
import contextlib
import re
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from .observe import BLOCK, Catalog, Tables, is_autocommit, rendered
from .project import sqlstate
from .run import CONCURRENTLY, Run, driver
from .wire import Stopped, Wire

CODE, RUNS = re.compile(r"\b(DO|FUNCTION|PROCEDURE)\b", re.I), re.compile(r"\bEXECUTE\b", re.I)
SAID = re.compile(r"tidegate-dynamic:([A-Za-z0-9+/=]*);")
TEXT_CHARS = 400_000  # of one statement; what is longer is cut, and its revision does not count as resolved
SENDERS = ("execute", "executemany", "copy", "copy_expert")


class Rehearsing(Run):
    def __init__(self, wire: Wire, spec: dict[str, Any]) -> None:
        super().__init__(wire, spec)
        self.tables: Tables | None = None
        self.catalog: Catalog | None = None
        self.number = 0
        self.inside = False  # a statement of SQLAlchemy is on its way; others are of a bare driver's cursor
        self.dynamic: list[str] = []

    # --- what Alembic is given ---

    def todo(self, script: Any, _heads: tuple[str, ...]) -> list[Any]:
        """The revisions that the parent has named, whatever Alembic would choose: it may have a single one tried."""
        from alembic.runtime.migration import MigrationStep

        step: Any = MigrationStep
        make = step.upgrade_from_script if self.spec["direction"] == "upgrade" else step.downgrade_from_script
        return [make(script.revision_map, script.get_revision(r)) for r in self.spec["destination"]]

    def steps(self, heads: Any, context: Any) -> Iterator[Any]:
        connection = context.connection
        fresh, dbapi = not connection.in_transaction(), driver(connection)
        schema = context.version_table_schema
        with self._unwatched():
            names = {context.version_table, f"{schema or 'public'}.{context.version_table}"}
            self.tables = Tables(dbapi, names)
            self.catalog = Catalog(self.spec["rehearsal"]["catalog"], context.version_table)
            self.wire.send("schema", revision=None, **self.catalog.changes(dbapi))
            if fresh and not is_autocommit(dbapi):
                dbapi.rollback()  # the driver began one for our questions; Alembic wants to begin its own
        yield from super().steps(heads, context)

    def on_apply(self, *, step: Any, heads: Any, **more: Any) -> None:
        assert self.catalog is not None
        with self._unwatched():
            changes = self.catalog.changes(driver(more["ctx"].connection))
        self.wire.send("schema", revision=self.revision, **changes)
        super().on_apply(step=step, heads=heads, **more)

    # --- what SQLAlchemy tells ---

    def attached(self) -> None:
        from sqlalchemy import event
        from sqlalchemy.engine import Engine

        event.listen(Engine, "before_cursor_execute", self.rewrite, retval=True)
        sys.addaudithook(self._audit)

    def on_connect(self, dbapi_connection: Any, record: Any) -> None:
        with self._unwatched():
            super().on_connect(dbapi_connection, record)
        self.adopt(dbapi_connection)
        for name in ("psycopg", "psycopg2"):
            if name in sys.modules:
                self._follow(sys.modules[name])

    def before(self, connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        self.inside = not self.quiet and connection.dialect.name == "postgresql"
        super().before(connection, cursor, statement, *rest)

    def rewrite(
        self, connection: Any, cursor: Any, statement: str, parameters: Any, _context: Any, many: bool
    ) -> tuple[str, Any]:
        if self.quiet or connection.dialect.name != "postgresql":
            return statement, parameters
        doubled = connection.dialect.paramstyle in ("format", "pyformat")
        sql = rendered(cursor, statement, parameters, many, doubled)
        changed = self._traced(statement)
        connection.info["tidegate_sent"] = (sql, is_autocommit(driver(connection)), changed != statement)
        return changed, parameters

    def after(self, connection: Any, cursor: Any, statement: str, _parameters: Any, context: Any, *_: Any) -> None:
        if self.quiet:
            return
        began, sent = connection.info.pop("tidegate_began", None), connection.info.pop("tidegate_sent", None)
        self.busy = None
        if began is None or sent is None:
            return  # of another database than the target
        duration_ms = _ms(began)
        self._lock_timeout_back(connection, statement)
        self.inside = False
        number, candidates = self._report(driver(connection), sent, duration_ms, rows=cursor.rowcount)
        if candidates and cursor.description is not None and context is not None:
            context.cursor = Fetched(cursor, lambda: self.wire.send("fetched", number=number))

    def on_error(self, context: Any) -> None:
        connection = context.connection
        if self.quiet or connection is None or context.statement is None:
            return
        began, sent = connection.info.pop("tidegate_began", None), connection.info.pop("tidegate_sent", None)
        self.busy = None
        if began is not None and sent is not None:
            self._lock_timeout_back(connection, context.statement)
            self.inside = False
            self._report(None, sent, _ms(began), sqlstate=sqlstate(context.original_exception))

    def _lock_timeout_back(self, connection: Any, statement: str) -> None:
        if CONCURRENTLY.match(statement):
            with contextlib.suppress(Exception):  # a broken transaction gives the setting back by itself
                self._set(connection, "lock_timeout", self.spec["settings"]["lock_timeout"])

    # --- what is told ---

    def _report(
        self, dbapi: Any, sent: tuple[str, bool, bool], duration_ms: float, **more: Any
    ) -> tuple[int, list[str]]:
        """`dbapi` is None after a failure, when there is nothing to see any more."""
        sql, autocommit, makes_code = sent
        seen: dict[str, Any] = {}
        dynamic: list[str] = []
        if dbapi is not None and self.tables is not None:
            with self._unwatched():
                self.dynamic, dynamic = dynamic, self.dynamic
                seen = self.tables.look(dbapi, sql, autocommit, dynamic)
        dynamic, self.dynamic = [*dynamic, *self.dynamic], []  # asyncpg's messages come with the next answer
        if BLOCK.match(sql) and not makes_code:
            seen["hidden"] = []  # all that such a block can run is written in it
        self.number += 1
        of = "env" if self.revision is None else "version_table" if self.bookkeeping else "revision"
        told = {"sql": sql[:TEXT_CHARS], "cut": len(sql) > TEXT_CHARS, "duration_ms": duration_ms, "sqlstate": None}
        told.update(rows=None, number=self.number, autocommit=autocommit, dynamic=dynamic)
        self.wire.send("statement", revision=self.revision, of=of, **{**told, **seen, **more})
        return self.number, seen.get("candidates", []) if of == "revision" else []

    def _traced(self, statement: str) -> str:
        if not (RUNS.search(statement) and CODE.search(statement)):
            return statement
        self.wire.send("rewrite", sql=statement)
        answer = self.wire.reply()
        if answer["do"] != "rewritten":
            raise Stopped(self.stopped or "stopped")
        return str(answer["sql"])

    def heard(self, *said: Any) -> None:
        """A message of the server: psycopg 3 gives its parts, psycopg2 a text, asyncpg the connection and an object."""
        text = getattr(said[-1], "message_primary", None) or str(said[-1])
        for found in SAID.findall(text):
            self.dynamic.append(base64.b64decode(found).decode("utf-8", "replace"))

    # --- bare cursors of a driver, other connections, other programs ---

    def adopt(self, dbapi: Any) -> None:
        """Listens to the server's messages on this connection, and to cursors that SQLAlchemy does not know of."""
        if getattr(getattr(dbapi, "cursor_factory", None), "tidegate", False):
            return  # one of psycopg that was opened under SQLAlchemy's eyes and ours
        raw = getattr(dbapi, "driver_connection", None) or getattr(dbapi, "_connection", None) or dbapi
        if getattr(dbapi, "notices", None) is not None:
            dbapi.notices = Heard(self.heard)
        elif hasattr(raw, "add_notice_handler"):
            raw.add_notice_handler(self.heard)
        elif hasattr(raw, "add_log_listener"):
            raw.add_log_listener(self.heard)
        if raw is not dbapi:
            self._follow_adapter(type(dbapi))
        elif hasattr(dbapi, "cursor_factory"):
            dbapi.cursor_factory = watched(self, dbapi)

    def sent_bare(self, cursor: Any, send: Callable[..., Any], name: str, query: Any, rest: tuple[Any, ...]) -> Any:
        if self.inside or self.quiet or self.revision is None or self.bookkeeping or asked_by_sqlalchemy(3):
            return send(query, *rest)
        if self.stopped is not None:
            raise Stopped(self.stopped)
        statement = query.as_string(cursor) if hasattr(query, "as_string") else query
        statement = statement.decode() if isinstance(statement, bytes) else str(statement)
        parameters = rest[0] if rest and name in SENDERS[:2] else None
        with self._unwatched():
            sql = rendered(cursor, statement, parameters, name == "executemany", parameters is not None)
        changed, began, dbapi = self._traced(statement), time.monotonic(), cursor.connection
        sent = (sql, is_autocommit(dbapi), changed != statement)
        try:
            result = send(changed, *rest)
        except BaseException as exc:
            self._report(None, sent, _ms(began), sqlstate=sqlstate(exc))
            raise
        looks = not name.startswith("copy")  # COPY is still under way
        number, candidates = self._report(dbapi if looks else None, sent, _ms(began), rows=cursor.rowcount)
        if candidates and cursor.description is not None:
            self.wire.send("fetched", number=number)
        return result

    def _follow(self, module: Any) -> None:
        """Connections that the project's own code opens without SQLAlchemy are listened to as well."""
        connect = module.connect
        if getattr(connect, "tidegate", False):
            return

        def followed(*args: Any, **kw: Any) -> Any:
            made = connect(*args, **kw)
            self.adopt(made)
            return made

        followed.tidegate = True  # type: ignore[attr-defined] # a mark on our own function
        module.connect = followed

    def _follow_adapter(self, adapter: Any) -> None:
        """Over an asynchronous driver SQLAlchemy lays connections of its own, whose bare cursors cannot be replaced."""
        cursor = adapter.cursor
        if getattr(cursor, "tidegate", False):
            return

        def asked(*args: Any, **kw: Any) -> Any:
            if not (self.inside or self.quiet or self.revision is None or asked_by_sqlalchemy(2)):
                what = "it uses a cursor of the driver, which Tidegate cannot follow there"
                self.wire.send("unseen", revision=self.revision, what=what)
            return cursor(*args, **kw)

        asked.tidegate = True  # type: ignore[attr-defined] # a mark on our own function
        adapter.cursor = asked

    def _audit(self, event: str, args: tuple[Any, ...]) -> None:
        if self.revision is None or self.quiet:
            return
        if event in ("subprocess.Popen", "os.system", "os.posix_spawn", "os.exec"):
            self.wire.send("unseen", revision=self.revision, what=f"it starts another program ({str(args[0])[:80]})")
        elif event == "socket.connect" and isinstance(args[1], tuple) and args[1][1] != self.spec["rehearsal"]["port"]:
            where = f"{args[1][0]}:{args[1][1]}"
            self.wire.send("unseen", revision=self.revision, what=f"it connects to another server ({where})")

    @contextlib.contextmanager
    def _unwatched(self) -> Iterator[None]:
        before, self.quiet = self.quiet, True
        try:
            yield
        finally:
            self.quiet = before


class Heard(list):  # type: ignore[type-arg] # Python 3.8 knows no list[str]
    """Takes the place of psycopg2's list of notices, which keeps the last 50. It stays empty."""

    def __init__(self, hear: Callable[..., None]) -> None:
        super().__init__()
        self._hear = hear

    def append(self, said: Any) -> None:
        self._hear(said)


class Fetched:
    """A cursor that says when somebody looks at its rows."""

    def __init__(self, cursor: Any, tell: Callable[[], None]) -> None:
        self._cursor, self._tell, self._told = cursor, tell, False

    def __getattr__(self, name: str) -> Any:
        if name.startswith("fetch"):
            self._looked_at()
        return getattr(self._cursor, name)

    def __iter__(self) -> Iterator[Any]:
        self._looked_at()
        return iter(self._cursor)

    def _looked_at(self) -> None:
        if not self._told:
            self._told = True
            self._tell()


def watched(state: Rehearsing, dbapi: Any) -> type:
    """The cursor class of this connection, with its sending methods going through `sent_bare`."""
    base: Any = dbapi.cursor_factory or sys.modules["psycopg2"].extensions.cursor

    def through(name: str) -> Callable[..., Any]:
        def send(self: Any, query: Any, *rest: Any, **kw: Any) -> Any:
            method = getattr(super(Watched, self), name)
            rest = rest or tuple(kw.pop(given) for given in ("params", "vars") if given in kw)
            return state.sent_bare(self, lambda q, *r: method(q, *r, **kw), name, query, rest)

        return send

    methods = {name: through(name) for name in SENDERS if hasattr(base, name)}
    Watched: Any = type("Watched", (base,), {"tidegate": True, **methods})  # noqa: N806 - a class
    return Watched  # type: ignore[no-any-return] # a class of a driver we do not import


def asked_by_sqlalchemy(depth: int) -> bool:
    """Whether SQLAlchemy itself wants the cursor (for a question such as the isolation level); its pool only passes
    on what others want. `depth` is how many calls lie between that wish and this question."""
    frame: Any = sys._getframe(depth)
    while frame is not None and str(frame.f_globals.get("__name__", "")).startswith("sqlalchemy.pool"):
        frame = frame.f_back
    return frame is not None and str(frame.f_globals.get("__name__", "")).startswith("sqlalchemy.")


def _ms(began: float) -> float:
    return round((time.monotonic() - began) * 1000, 3)
