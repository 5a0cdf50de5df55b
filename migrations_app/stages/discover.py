"""Projects: their files become an immutable bundle, and the bundle's history becomes revisions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.db import IntegrityError, transaction

from migrations_app import lifecycle
from migrations_app.engines.backfill.declared import from_literal
from migrations_app.engines.risk import verdict
from migrations_app.engines.runner import bundle as bundles
from migrations_app.engines.runner import spawn
from migrations_app.engines.runner.declared import Declared, read_revision
from migrations_app.engines.runner.history import History
from migrations_app.engines.runner.launch import Launch
from migrations_app.errors import Invalid, ProjectBroken
from migrations_app.models import Actor, Bundle, Project, Revision

SOURCES = ("path", "bundle")
# Errors that env.py has in any mode. Others may only mean that it cannot run without a database, which is no fault.
NEVER_RUNS = ("SyntaxError", "IndentationError", "ImportError", "ModuleNotFoundError", "NameError")


def create_project(*, actor: Actor, slug: str, name: str, source: Mapping[str, Any], **launch: Any) -> Project:
    """Registers a project after its history was read. Nothing is kept when its environment does not load."""
    row = Project(slug=slug, name=name, source=dict(source))
    lifecycle.require(actor, "configure", row)
    recipe = Launch.from_json(launch)
    row.launch = recipe.to_json()
    found = _collect(row, recipe) if _kind(source) == "path" else None
    with transaction.atomic():
        try:
            with transaction.atomic():
                row.save(force_insert=True)
        except IntegrityError:
            raise Invalid.field("/slug", f"There is a project {slug} already.") from None
        lifecycle.record(actor, "project.created", row, {"source": row.source})
        if found is not None:
            _keep(actor, row, recipe, found)
    return row


def update_project(*, actor: Actor, project: Project, **changes: Any) -> Project:
    """Changes the name, the source or parts of the recipe; the history is read again with what is new."""
    lifecycle.require(actor, "configure", project)
    name, source = changes.pop("name", project.name), changes.pop("source", project.source)
    recipe = Launch.from_json({**project.launch, **changes})
    candidate = Project(slug=project.slug, name=name, source=dict(source), launch=recipe.to_json())
    found = _collect(candidate, recipe) if _kind(source) == "path" else None
    with transaction.atomic():
        row = Project.objects.select_for_update().get(pk=project.pk)
        row.name, row.source, row.launch, row.version = name, dict(source), recipe.to_json(), row.version + 1
        row.save()
        lifecycle.record(actor, "project.changed", row, {"fields": sorted(changes), "source": row.source})
        if found is not None:
            _keep(actor, row, recipe, found)
    return row


def sync(*, actor: Actor, project: Project, archive: bytes | None = None) -> tuple[Bundle, bool]:
    """Reads the source again, or takes an uploaded tar.gz. Returns the bundle, and whether it is new.

    Raises ProjectBroken or Invalid; the bundle in use then stays the one before.
    """
    lifecycle.require(actor, "propose", project)
    recipe = Launch.from_json(project.launch)
    if archive is None and _kind(project.source) != "path":
        raise Invalid.field("/source", "This project has no folder to read again: upload a bundle (tar.gz).")
    limits = spawn.LIMITS
    found = bundles.receive(archive, limits=limits) if archive else _collect(project, recipe)
    with transaction.atomic():
        row = Project.objects.select_for_update().get(pk=project.pk)
        return _keep(actor, row, recipe, found)


def _kind(source: Mapping[str, Any]) -> str:
    kind = source.get("kind", "path")
    if kind not in SOURCES:
        raise Invalid.field("/source/kind", f"The source must be one of {', '.join(SOURCES)}.")
    if kind == "path" and not isinstance(source.get("path"), str):
        raise Invalid.field("/source/path", "Name the folder that holds alembic.ini.")
    return str(kind)


def _collect(project: Project, recipe: Launch) -> bundles.Bundle:
    path = Path(project.source["path"])
    if not path.is_absolute():
        raise Invalid.field("/source/path", "Write the whole path: workers do not share your working folder.")
    return spawn.collect(recipe, path)


def _keep(actor: Actor, project: Project, recipe: Launch, found: bundles.Bundle) -> tuple[Bundle, bool]:
    """Makes the bundle the project's own one, reading its history when these bytes are new."""
    bundle = project.bundles.filter(digest=found.digest).first()
    is_new = bundle is None
    if bundle is None:
        bundle = Bundle(project=project, digest=found.digest, archive=found.archive, files=len(found.files))
        _read(actor, bundle, recipe)
    if project.bundle_id != bundle.pk:
        project.bundle = bundle
        project.save(update_fields=["bundle"])
        lifecycle.record(actor, "project.bundle", project, {"digest": bundle.digest, "heads": bundle.heads})
    return bundle, is_new


def _read(actor: Actor, bundle: Bundle, recipe: Launch) -> None:
    folder = bundle.unpack()
    told = spawn.history(recipe, folder)
    if told.env_error and told.env_error.startswith(NEVER_RUNS):
        raise ProjectBroken(f"env.py does not load: {told.env_error}. Correct it, or the project's Python.")
    sql = spawn.offline_sql(recipe, folder, [item.revision for item in told.revisions])
    bundle.heads, bundle.bases = list(told.heads), list(told.bases)
    bundle.interpreter = {
        "python": told.python,
        "alembic": told.alembic,
        "sqlalchemy": told.sqlalchemy,
        "env_error": told.env_error,
        "version_table": told.version_table or recipe.version_table,
        "version_table_schema": told.version_table_schema or recipe.version_table_schema,
    }
    bundle.save()
    for row in _revisions(bundle, told, sql, folder):
        row.save(force_insert=True)
        lifecycle.advance(row, "analysed", actor=actor, reason=row.opaque or "its SQL is known")


def _revisions(bundle: Bundle, told: History, sql: Mapping[str, spawn.RevisionSql], folder: Path) -> list[Revision]:
    rows = []
    for position, item in enumerate(told.revisions):
        declared: Declared = read_revision(folder / item.path, name=item.path)
        rendered = sql[item.revision]
        down = rendered.down
        rows.append(
            Revision(
                bundle=bundle,
                revision=item.revision,
                position=position,
                down_revisions=list(item.down_revisions),
                depends_on=list(item.depends_on),
                branch_labels=list(item.branch_labels),
                message=item.message,
                path=item.path,
                sha256=declared.sha256,
                source=declared.source,
                is_head=item.is_head,
                statements=list(rendered.statements),
                autocommit=list(rendered.autocommit),
                opaque=rendered.opaque or "",
                down_statements=list(down.statements) if down else [],
                down_autocommit=list(down.autocommit) if down else [],
                down_opaque=(down.opaque or "") if down else "it was not read",
                backfill=_checked_backfill(declared, item.path),
                requires=declared.requires,
            )
        )
    # What the SQL alone tells, for lists; a plan asks again with the target's catalog.
    for row, analysis in zip(rows, verdict.analyse_each([row.to_judge() for row in rows]), strict=True):
        row.analysis = analysis.to_json()
    return rows


def _checked_backfill(declared: Declared, path: str) -> dict[str, Any] | None:
    if declared.backfill is not None:
        from_literal(declared.backfill, where_found=path)  # refuses a malformed one now, and not in the middle of a run
    return declared.backfill
