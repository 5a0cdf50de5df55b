"""The verbs of the runner: each starts one child under the project's own interpreter and gives plain values back."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from migrations_app.engines.runner import bundle as bundles
from migrations_app.engines.runner.history import History, Revision
from migrations_app.engines.runner.interpreter import Interpreter, interpreter
from migrations_app.engines.runner.launch import Launch
from migrations_app.engines.runner.limits import Limits
from migrations_app.engines.runner.process import Event, Process
from migrations_app.engines.runner.workdir import Workdir, workdir
from migrations_app.errors import AmbiguousHeads, Invalid, ProjectBroken, TidegateError, UnknownRevision

LIMITS = Limits()
ELSEWHERE = (
    "The history lies outside the project's folder at {path}. Read the source again, so that it gets into the bundle."
)


@dataclass(frozen=True)
class RevisionSql:
    """What upgrade() runs, statement by statement; `opaque` says in words why it cannot be known without a database.

    `autocommit` has a flag for each statement: True inside an autocommit_block. The version table is not part of it.
    `down` is the same of downgrade(), whose own `down` is None.
    """

    statements: tuple[str, ...]
    autocommit: tuple[bool, ...]
    opaque: str | None
    down: RevisionSql | None = None

    @property
    def sql(self) -> str:
        return "".join(f"{statement};\n\n" for statement in self.statements)


@dataclass(frozen=True)
class Query:
    """What would Alembic run from `current` (rows of the version table) to `destination`?"""

    current: tuple[str, ...]
    destination: tuple[str, ...]  # "heads", "head", a revision, "+2", "-1", "base", or several revisions or labels
    direction: str = "upgrade"


@dataclass(frozen=True)
class Planned:
    revisions: tuple[str, ...]


def collect(launch: Launch, source_dir: Path, *, limits: Limits = LIMITS) -> bundles.Bundle:
    """Snapshot of a project, with what of its history lies elsewhere (the child asks Alembic where that is)."""
    ini = "" if launch.alembic_ini in launch.files else launch.alembic_ini
    if not source_dir.is_dir() or (ini and not (source_dir / ini).is_file()):
        bundles.snapshot(source_dir, alembic_ini=ini, limits=limits)  # says which of the two it is
    python = interpreter(launch.python)
    root = source_dir.resolve()
    with workdir(launch, root, python) as work:
        spec = {"verb": "locate", "origins": [], **work.spec(launch, root)}
        told = _ask(launch, work, spec, limits)
        places = [Path(p) for p in told["locations"] if not Path(p).is_relative_to(work.path.resolve())]
    outer = [p for p in places if not any(p != q and p.is_relative_to(q) for q in places)]
    return bundles.snapshot(source_dir, alembic_ini=ini, extra={_named(p, python): p for p in outer}, limits=limits)


def history(launch: Launch, bundle_dir: Path, *, limits: Limits = LIMITS) -> History:
    """The whole history. Raises `ProjectBroken` with what env.py or a revision raised, and where."""
    told = _read("history", launch, bundle_dir, limits)
    revisions = tuple(Revision(**_tuples(r)) for r in told["revisions"])
    error = told["env_error"] and _sentence(told["env_error"])
    if not revisions and error:
        raise ProjectBroken(f"No revision was found, and env.py does not run: {error}")
    for revision in revisions:
        if os.path.isabs(revision.path):
            raise ProjectBroken(ELSEWHERE.format(path=revision.path))
    return History(**{**_tuples(told), "revisions": revisions, "env_error": error})


def plan(
    launch: Launch,
    bundle_dir: Path,
    *,
    current: Sequence[str],
    destination: Sequence[str],
    direction: str = "upgrade",
    limits: Limits = LIMITS,
) -> Planned:
    """What Alembic's own revision map says it would run.

    Raises `UnknownRevision`, `AmbiguousHeads`, `Invalid` at /to.
    """
    query = Query(tuple(current), tuple(destination), direction)
    (answer,) = plans(launch, bundle_dir, [query], limits=limits)
    if isinstance(answer, TidegateError):
        raise answer
    return answer


def plans(
    launch: Launch, bundle_dir: Path, queries: Sequence[Query], *, limits: Limits = LIMITS
) -> list[Planned | TidegateError]:
    """An answer for each query, out of one process (many targets stand at few different places)."""
    asked = [{"current": q.current, "destination": q.destination, "direction": q.direction} for q in queries]
    answers = _read("plan", launch, bundle_dir, limits, queries=asked)
    return [
        _refusal(answer, query) if "error" in answer else Planned(tuple(answer["revisions"]))
        for answer, query in zip(answers, queries, strict=True)
    ]


def offline_sql(
    launch: Launch, bundle_dir: Path, revisions: Sequence[str], *, limits: Limits = LIMITS
) -> dict[str, RevisionSql]:
    """The SQL of each revision, up and down, as if it ran alone."""
    told = _read("sql", launch, bundle_dir, limits, revisions=list(revisions))
    return {revision: _rendered(one, _rendered(one["down"])) for revision, one in told.items()}


def _rendered(told: Mapping[str, Any], down: RevisionSql | None = None) -> RevisionSql:
    return RevisionSql(tuple(told["statements"]), tuple(told["autocommit"]), told["opaque"], down)


def _read(verb: str, launch: Launch, bundle_dir: Path, limits: Limits, **more: Any) -> Any:
    python = interpreter(launch.python)
    with workdir(launch, bundle_dir, python) as work:
        spec = {"verb": verb, **common(launch, bundle_dir, python, work), **more}
        return _ask(launch, work, spec, limits)


def common(launch: Launch, bundle_dir: Path, python: Interpreter, work: Workdir) -> dict[str, Any]:
    """The part of a spec that all verbs share."""
    places = bundles.origins(bundle_dir)
    origins = [[os.path.realpath(origin.replace("{site}", python.site)), copy] for origin, copy in places.items()]
    return {"origins": sorted(origins, key=lambda pair: -len(pair[0])), **work.spec(launch, bundle_dir)}


def _ask(launch: Launch, work: Workdir, spec: Mapping[str, Any], limits: Limits) -> Any:
    full = {**spec, "limits": limits.rlimits()}
    process = Process(launch.python, full, work.env, work.redactor, limits.output_bytes)
    try:
        until = time.monotonic() + limits.read_wall_s
        event: Event | None = process.next_event(limits.read_wall_s)
        while event is not None and not event.last:
            event = process.next_event(until - time.monotonic())
        if event is None:
            raise ProjectBroken(
                f"The project did not answer within {limits.read_wall_s:.0f} s. Does env.py wait for something?"
            )
        if event.kind == "done":
            return event.data["answer"]
        said = _sentence(event.data) if event.kind == "failed" else event.data["reason"]
        raise ProjectBroken(f"The project does not load: {said}{_tail(process.output())}")
    finally:
        process.kill_hard()  # it has no statement to cancel
        process.kill()


def _tuples(told: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in told.items()}


def _named(place: Path, python: Interpreter) -> str:
    """An origin below site-packages is named relative to it, so that the digest is the same on each machine."""
    site = Path(python.site).resolve()
    return f"{{site}}/{place.relative_to(site).as_posix()}" if place.is_relative_to(site) else str(place)


def _sentence(told: Mapping[str, Any]) -> str:
    where = f" at {told['where']}" if told["where"] else ""
    return f"{told['type']}: {told['message'] or '(no message)'}{where}"


def _tail(output: str) -> str:
    last = output.strip().splitlines()[-1:]
    return f" (it printed: {last[0][:200]})" if last else ""


def _refusal(answer: Mapping[str, Any], query: Query) -> TidegateError:
    error, wanted = answer["error"], " ".join(query.destination)
    if error == "ambiguous_heads":
        heads = ", ".join(answer["heads"])
        return AmbiguousHeads(f"The history has more than one head ({heads}). Choose one of them, or `heads` for all.")
    if error == "unknown_revision" and answer["argument"] in " ".join(query.current):
        return UnknownRevision(f"The target is at {answer['argument']}, which this history does not have.")
    if error == "unknown_revision":
        return UnknownRevision(f"The history has no revision {wanted}.")
    if error == "destination":
        at = ", ".join(query.current) or "nothing"
        return Invalid.field("/to", f"{wanted} cannot be reached from {at} by {query.direction}: {answer['message']}")
    return ProjectBroken(f"The project does not load: {_sentence(answer)}")
