"""Reading a history, and asking Alembic's own revision map what it would run."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from .project import Project, failure


def names(value: Any) -> list[str]:
    """Alembic gives None, one name, a tuple in the author's order, or a set."""
    if not value:
        return []
    return [value] if isinstance(value, str) else sorted(value) if isinstance(value, (set, frozenset)) else list(value)


def opened(project: Project) -> tuple[Any, dict[str, Any]]:
    """The script directory as it is once env.py has run offline with nothing to do, and what env.py configured."""
    script = project.script()
    seen: dict[str, Any] = {"env_error": None, "version_table": None, "version_table_schema": None}

    def nothing(_heads: Any, context: Any) -> list[Any]:
        seen.update(version_table=context.version_table, version_table_schema=context.version_table_schema)
        return []

    try:
        with open(os.devnull, "w") as sink:
            project.cfg.output_buffer = sink
            project.run_env(script, nothing, as_sql=True, destination_rev=None)
    except (Exception, SystemExit) as exc:  # noqa: BLE001 - an env.py without offline mode may still have a history
        seen["env_error"] = failure(project, exc)
    return project.rebase(script), seen


def history(project: Project) -> dict[str, Any]:
    import alembic
    import sqlalchemy

    script, seen = opened(project)
    revisions = [
        {
            "revision": r.revision,
            "down_revisions": names(r.down_revision),
            "depends_on": names(r._resolved_dependencies),
            "branch_labels": names(r._orig_branch_labels),
            "message": (r.doc or "").strip(),
            "path": project.relative(r.path),
            "is_head": bool(r.is_head),
            "is_base": bool(r.is_base),
        }
        for r in (step.revision for step in script._upgrade_revs("heads", ()))
    ]
    return {
        "revisions": revisions,
        "heads": sorted(script.get_heads()),
        "bases": sorted(script.get_bases()),
        "effective_heads": sorted(script.revision_map._real_heads),
        "python": sys.version.split()[0],
        "alembic": alembic.__version__,
        "sqlalchemy": sqlalchemy.__version__,
        **seen,
    }


def locate(project: Project) -> dict[str, Any]:
    """Where the history lies on this disk, before there is a bundle."""
    script, seen = opened(project)
    places = [str(script.dir), *(str(p) for p in script._version_locations)]
    return {"locations": [p for p in dict.fromkeys(map(os.path.realpath, places)) if os.path.isdir(p)], **seen}


def steps(script: Any, direction: str, destination: Sequence[str], heads: tuple[str, ...]) -> list[Any]:
    """What Alembic itself would run. Several destinations become one run over the union of what they need."""
    if heads:
        script.get_revisions(heads)  # an unknown one is said before anything else is
    if direction == "downgrade":
        return list(script._downgrade_revs(destination[0], heads))
    if len(destination) == 1:
        return list(script._upgrade_revs(destination[0], heads))
    wanted = {r.revision for d in destination for r in script.get_revisions(d) if r is not None}
    covered = under(script, heads) | set(heads) | under(script, wanted)  # Alembic refuses one destination below another
    missing = tuple(sorted(wanted - covered))
    return list(script._upgrade_revs(missing, heads)) if missing else []


def under(script: Any, revisions: Iterable[str]) -> set[str]:
    """All that these revisions stand on."""
    parents = {p for r in revisions for p in script.get_revision(r)._all_down_revisions}
    nodes = script.revision_map._get_ancestor_nodes(script.get_revisions(tuple(parents))) if parents else ()
    return {r.revision for r in nodes}


def plan(project: Project) -> list[dict[str, Any]]:
    """An answer for each query: the revision ids in order, or why there are none."""
    script, _ = opened(project)
    answers: list[dict[str, Any]] = []
    for query in project.spec["queries"]:
        try:
            found = steps(script, query["direction"], query["destination"], tuple(query["current"]))
            answers.append({"revisions": [s.revision.revision for s in found]})
        except Exception as exc:  # noqa: BLE001 - whatever Alembic says about one query is that query's answer
            answers.append(refusal(project, exc))
    return answers


def refusal(project: Project, exc: BaseException) -> dict[str, Any]:
    cause: Any = exc.__cause__ or exc
    name = type(cause).__name__
    if name == "MultipleHeads":
        return {"error": "ambiguous_heads", "heads": sorted(cause.heads), **failure(project, exc)}
    if name == "ResolutionError":
        return {"error": "unknown_revision", "argument": str(cause.argument), **failure(project, exc)}
    known = name in ("RangeNotAncestorError", "RevisionError", "CommandError")
    return {"error": "destination" if known else "broken", **failure(project, exc)}
