"""The SQL that each revision runs up and down, rendered without a database; or why that cannot be known."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from .project import Project, failure


class ReadsDatabase(BaseException):
    """A revision used a result that only a database could have given. It passes `except Exception` of the revision."""


class Unread:
    """The result of a statement that was only written down. Looking at it is what makes a revision opaque."""

    def __getattr__(self, name: str) -> Any:
        raise ReadsDatabase(name)

    def __iter__(self) -> Iterator[Any]:
        raise ReadsDatabase("its rows")

    def __bool__(self) -> bool:
        raise ReadsDatabase("its truth")


class Recorder:
    """Collects the statements of one revision after the other, out of one run of env.py."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.revisions: Sequence[str] = project.spec["revisions"]
        self.up: dict[str, dict[str, Any]] = {}
        self.down: dict[str, dict[str, Any]] = {}
        self.open: dict[str, Any] | None = None  # the revision that runs now
        self.autocommit = self.executing = False

    def steps(self, _heads: Any, context: Any) -> Iterator[Any]:
        from alembic.runtime.migration import MigrationStep

        script = self.project.rebase(context.script)
        self._tap(context)
        for step_of, result in (
            (MigrationStep.upgrade_from_script, self.up),
            (MigrationStep.downgrade_from_script, self.down),
        ):
            for revision in self.revisions:
                step: Any = step_of(script.revision_map, script.get_revision(revision))
                entry = result[revision] = {"statements": [], "autocommit": [], "opaque": None}
                step.migration_fn = self._recording(entry, context, step.migration_fn)
                yield step

    def _recording(self, entry: dict[str, Any], context: Any, run: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(run)  # Alembic shows its __name__
        def recorded(**kw: Any) -> None:
            self._record(entry, context, lambda: run(**kw), run.__name__)

        return recorded

    def _record(self, entry: dict[str, Any], context: Any, run: Callable[[], Any], name: str) -> None:
        self.open = entry
        self.autocommit = False
        context.impl.memo.clear()  # each revision as if it ran alone: the ENUM memo lives as long as the context
        try:
            run()
        except ReadsDatabase as read:
            entry["opaque"] = f"it reads rows: {name}() uses the result of a query ({read})"
        except (Exception, SystemExit) as exc:  # noqa: BLE001 - the reason, in words, is the result
            entry["opaque"] = entry["opaque"] or self._why(exc)
        finally:
            self.open = None
            if entry["opaque"]:
                entry["statements"], entry["autocommit"] = [], []  # a part must never pass for the whole

    def _why(self, exc: BaseException) -> str:
        told = failure(self.project, exc)
        what = f"{told['type']}: {told['message']}"[:300]
        if told["type"] == "NoInspectionAvailable":
            return "it inspects the catalog of the database"
        return f"it cannot be rendered without a database ({what})"

    def mark(self, why: str) -> None:
        if self.open is not None:
            self.open["opaque"] = self.open["opaque"] or why

    def _tap(self, context: Any) -> None:
        from sqlalchemy import text

        impl, connection = context.impl, context.connection
        impl.literal_binds = True  # else a value would be shown as :name
        execute, write, run = impl._exec, impl.static_output, connection.execute

        def _exec(construct: Any, *args: Any, **kw: Any) -> Any:
            construct = text(construct) if isinstance(construct, str) else construct
            if any(bind.required for bind in getattr(construct, "_bindparams", {}).values()):
                self.mark("it leaves the value of a :parameter open (a colon in plain SQL is written \\:)")
            self.executing = True
            try:
                return execute(construct, *args, **kw)
            finally:
                self.executing = False

        def static_output(line: str) -> None:
            write(line)
            if self.open is not None and self.executing:
                self.open["statements"].append(line.strip().rstrip(";").strip())
                self.open["autocommit"].append(self.autocommit)

        def mock_execute(statement: Any, *params: Any, **kw: Any) -> Unread:
            if any(params) or kw:
                self.mark("it passes parameters to a statement, which the offline mode of Alembic leaves out")
            run(statement)
            return Unread()

        def turn(autocommit: bool) -> None:
            self.autocommit = autocommit  # autocommit_block() leaves the transaction and comes back into it

        impl._exec, impl.static_output, connection.execute = _exec, static_output, mock_execute
        impl.emit_commit, impl.emit_begin = functools.partial(turn, True), functools.partial(turn, False)


def watch_offline_questions(recorder: Recorder) -> None:
    """A revision that asks whether it runs offline shows other SQL here than it runs there."""
    from alembic.runtime.environment import EnvironmentContext
    from alembic.runtime.migration import MigrationContext

    why = "it behaves differently without a database: it asks for the offline mode"
    environment: Any = EnvironmentContext
    context: Any = MigrationContext
    offline = environment.is_offline_mode

    def is_offline_mode(self: Any) -> bool:
        recorder.mark(why)
        return bool(offline(self))

    def as_sql(self: Any) -> bool:
        if not str(sys._getframe(1).f_globals.get("__name__", "")).startswith("alembic."):
            recorder.mark(why)
        return bool(vars(self)["as_sql"])

    environment.is_offline_mode = is_offline_mode
    context.as_sql = property(as_sql, lambda self, value: vars(self).__setitem__("as_sql", value))


def patch_rendering() -> None:
    from alembic.runtime import migration

    context: Any = migration.MigrationContext
    configure = context.configure.__func__

    def named(cls: Any, *args: Any, **kw: Any) -> Any:  # the drivers' paramstyle would double each % of the SQL
        if kw.get("url") or kw.get("dialect_name"):
            kw["dialect_opts"] = {**(kw.get("dialect_opts") or {}), "paramstyle": "named"}
        return configure(cls, *args, **kw)

    context.configure = classmethod(named)
    maintainer: Any = migration.HeadMaintainer
    maintainer.update_to_step = lambda _self, _step: None  # the version table is not part of a revision


def offline_sql(project: Project) -> dict[str, Any]:
    recorder = Recorder(project)
    patch_rendering()
    watch_offline_questions(recorder)
    why = "env.py did not come to run the revisions in offline mode"
    try:
        with open(os.devnull, "w") as sink:
            project.cfg.output_buffer = sink
            project.run_env(project.script(), recorder.steps, as_sql=True, destination_rev=None)
    except (Exception, SystemExit) as exc:  # noqa: BLE001 - an env.py without offline mode is common, and no fault
        told = failure(project, exc)
        why = f"env.py does not run without a database ({told['type']}: {told['message'][:200]}, {told['where']})"
    nothing: dict[str, Any] = {"statements": [], "autocommit": [], "opaque": why}
    return {
        revision: {**recorder.up.get(revision, nothing), "down": recorder.down.get(revision, nothing)}
        for revision in recorder.revisions
    }
