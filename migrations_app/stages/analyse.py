"""What SQL, or a history of revisions, would do to a database: judged before anybody runs it. Writes nothing."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from migrations_app import lifecycle
from migrations_app.engines import history
from migrations_app.engines.postgres import catalog
from migrations_app.engines.postgres.address import Address
from migrations_app.engines.postgres.connect import connect
from migrations_app.engines.postgres.facts import facts_for
from migrations_app.engines.risk import statements, verdict
from migrations_app.engines.risk.facts import Facts
from migrations_app.engines.runner import bundle as bundles
from migrations_app.engines.runner import spawn
from migrations_app.engines.runner.history import History, Revision
from migrations_app.engines.runner.launch import Launch
from migrations_app.errors import Invalid, TargetUnreachable, UnknownRevision
from migrations_app.models import Actor, Target
from migrations_app.models.secrets import address_of

APPLICATION = "tidegate:analyse"


def analyse_sql(
    *, sql: str, database_url: Address | str | None = None, transactional: bool | None = None
) -> dict[str, Any]:
    """The analysis of a text of SQL; the catalog of `database_url` makes it exact. Runs none of it.

    `transactional` says whether the text runs inside a transaction. None: as a script does, which is one when it has
    several statements and opens none itself. A database that breaks off midway leaves an analysis without it, whose
    "degraded" says so. Raises Invalid for SQL that PostgreSQL would refuse, and for none at all; TargetUnreachable for
    a database that cannot be opened.
    """
    parsed = statements.parse(sql)
    if not parsed:
        raise Invalid.field("/sql", "There is no statement in it, so there is nothing to be said about its risk.")
    inside = _runs_as_one(parsed) if transactional is None else transactional
    facts, missing = _facts(database_url, [sql], transactional=inside)
    return verdict.analyse(sql, facts=facts, transactional=inside).to_json() | missing


def analyse_for_target(*, actor: Actor, sql: str, target: Target) -> dict[str, Any]:
    """The analysis of a text of SQL by the catalog of a registered target."""
    lifecycle.require(actor, "probe", target)
    return analyse_sql(sql=sql, database_url=address_of(target))


def _runs_as_one(parsed: Sequence[statements.Statement]) -> bool:
    """Settings before a CREATE INDEX CONCURRENTLY do not make a transaction out of it."""
    kinds = [statement.node_name for statement in parsed if statement.node_name != "variable_set_stmt"]
    return len(kinds) > 1 and "transaction_stmt" not in kinds


def analyse_history(
    *, path: str, revision_range: str | None = None, database_url: str | None = None, python: str | None = None
) -> dict[str, Any]:
    """The analysis of the revisions of an Alembic project in a folder, in the order in which they would run.

    `revision_range` is "A:B": after A, up to B; an empty A is the beginning (with a database: where it stands), an
    empty B the heads. `python` starts the project; ours when it is None. Raises ProjectBroken, UnknownRevision,
    TargetUnreachable, or Invalid for a folder that holds no project.
    """
    launch = Launch(python=(python or sys.executable,))
    with _unpacked(spawn.collect(launch, Path(path))) as folder:
        told = spawn.history(launch, folder)
        after, upto = _bounds(told, revision_range, database_url)
        # Without a catalog the types come from the history, so what lies before the range is read as well.
        known = after if database_url else frozenset()
        wanted = [r.revision for r in told.revisions if r.revision in upto - known]
        sql = spawn.offline_sql(launch, folder, wanted)
        parts = [_part(r, sql[r.revision], folder) for r in told.revisions if r.revision in sql]
    facts, missing = _facts(database_url, parts)
    analyses = verdict.analyse_each(parts, facts=facts)
    kept = [analysis for part, analysis in zip(parts, analyses, strict=True) if part.revision not in after]
    found = _with_paths(verdict.combine(kept).to_json(), told)
    return found | {"facts": "catalog" if facts else "none"} | missing


@contextmanager
def _unpacked(found: bundles.Bundle) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="tidegate-analyse-", ignore_cleanup_errors=True) as place:
        try:
            yield bundles.unpack(found.archive, found.digest, Path(place))
        finally:
            # A bundle is read-only, and a folder must be writable for its files to be removed.
            for inner in Path(place).rglob("*"):
                if inner.is_dir():
                    inner.chmod(0o700)


def _part(revision: Revision, rendered: spawn.RevisionSql, folder: Path) -> verdict.RevisionSql:
    down = rendered.down
    return verdict.RevisionSql(
        revision.revision,
        rendered.statements,
        rendered.opaque,
        autocommit=rendered.autocommit,
        source=(folder / revision.path).read_text(encoding="utf-8", errors="replace"),
        downgrade=down.statements if down and not down.opaque else None,
    )


def _with_paths(found: dict[str, Any], told: History) -> dict[str, Any]:
    """Each statement and finding of a revision with the file that it stands in."""
    paths = {revision.revision: revision.path for revision in told.revisions}
    for item in [*found["statements"], *found["findings"]]:
        item["path"] = paths[item["revision"]]
    return found


def _bounds(told: History, text: str | None, database_url: str | None) -> tuple[frozenset[str], frozenset[str]]:
    """What lies before the range, and everything up to its end, itself included."""
    first, colon, last = (text or "").partition(":")
    if text and not colon:
        first, last = "", text
    parents = {r.revision: (*r.down_revisions, *r.depends_on) for r in told.revisions}
    before: Iterable[str] = ()
    if first:
        before = _resolved(first, told)
    elif database_url:
        before = _applied_on(database_url, told)
    end = _resolved(last or "heads", told)
    return history.applied(parents, tuple(before)), history.applied(parents, end)


def _resolved(name: str, told: History) -> tuple[str, ...]:
    """The revisions that a person means: an id or the beginning of one, a branch, base, head or heads."""
    if name in ("head", "heads"):
        return told.heads
    if name == "base":
        return ()
    ids = [revision.revision for revision in told.revisions]
    exact = [r.revision for r in told.revisions if name == r.revision or name in r.branch_labels]
    matching = exact[-1:] or [revision for revision in ids if revision.startswith(name)]
    if len(matching) != 1:
        what = "begins more than one revision" if matching else "is no revision of this history"
        raise UnknownRevision(f"{name} {what}. It holds {_few(ids)}.")
    return (matching[0],)


def _few(ids: Sequence[str]) -> str:
    return ", ".join(ids[-5:]) + (f" and {len(ids) - 5} older ones" if len(ids) > 5 else "")


def _applied_on(database_url: str, told: History) -> Iterable[str]:
    with connect(database_url, application_name=APPLICATION) as conn:
        table = told.version_table or "alembic_version"
        try:
            return catalog.read_heads(conn, version_table=table, schema=told.version_table_schema) or ()
        except psycopg.Error as error:
            raise TargetUnreachable(
                f"Where the database stands could not be read ({_state(error)}). Try again, or name the range."
            ) from None


def _facts(
    database_url: Address | str | None,
    texts: Sequence[str] | Sequence[verdict.RevisionSql],
    *,
    transactional: bool = True,
) -> tuple[Facts | None, dict[str, str]]:
    """What the database says, and what the answer has to say about a database that broke off."""
    if not database_url:
        return None, {}
    with connect(database_url, application_name=APPLICATION) as conn:
        try:
            return facts_for(conn, texts, transactional=transactional), {}
        except psycopg.Error as error:
            return None, {
                "degraded": f"The database broke off while its catalog was read ({_state(error)}), so nothing is known "
                "of it: every object is taken to exist and to hold data. Try again once it answers."
            }


def _state(error: psycopg.Error) -> str:
    return f"SQLSTATE {error.sqlstate}" if error.sqlstate else "the connection was lost"
