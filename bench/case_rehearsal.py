"""Tries a case on a copy of its scratch database: what its Python does becomes statements, and downgrades are seen."""

from __future__ import annotations

from dataclasses import replace

from bench import case_project
from migrations_app.engines.postgres.address import parse
from migrations_app.engines.rehearsal.rehearse import rehearse
from migrations_app.engines.rehearsal.scratch import clone_of_database
from migrations_app.engines.rehearsal.session import Bounds
from migrations_app.engines.risk.verdict import RevisionSql

BOUNDS = Bounds(wall_s=60.0, run_wall_s=30.0, statement_timeout_ms=10_000)


def rehearsed(revision: RevisionSql, url: str, *, has_downgrade: bool) -> RevisionSql:
    """The revision with what a rehearsal recorded of it. Nobody may be connected to the database at `url`.

    The copy has the rows of the case: a scratch database is nobody's target. Raises TidegateError as `rehearse` does.
    """
    address = parse(url)
    with (
        case_project.project([revision.source]) as (folder, names),
        clone_of_database(address, replace(address, database="postgres")) as scratch,
    ):
        found = rehearse(case_project.LAUNCH, folder, scratch, names, bounds=BOUNDS, downgrades=has_downgrade)
    return replace(revision, rehearsed=found.by_id[names[0]])


def wants_rehearsal(revision: RevisionSql, downgrade: str | None) -> bool:
    """Only where it can tell more than the rendered SQL: code that asks the database, and the way back."""
    return bool(revision.opaque) or downgrade is not None
