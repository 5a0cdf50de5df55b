"""Revisions written in the test itself, rehearsed on a copy of a database."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from migrations_app.engines.rehearsal.rehearse import rehearse
from migrations_app.engines.rehearsal.scratch import Scratch
from migrations_app.engines.rehearsal.session import Bounds
from migrations_app.engines.risk.rehearsed import Rehearsal
from migrations_app.engines.runner.bundle import snapshot, unpack
from migrations_app.engines.runner.limits import Limits
from tests.engines.histories import HERE, INI, Project, launch

HEAD = """
import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
revision, down_revision, depends_on = {revision!r}, {down!r}, None
"""


def body(name: str, code: str) -> str:
    return f"def {name}():\n" + textwrap.indent(textwrap.dedent(code).strip() or "pass", "    ") + "\n"


def written(folder: Path, revisions: Mapping[str, Sequence[Any]], *, env: str = "plain", **recipe: Any) -> Project:
    """A project of revisions in a row: {id: (body of upgrade, body of downgrade[, its parents])}."""
    versions, before = folder / "source" / "migrations" / "versions", None
    versions.mkdir(parents=True)
    for revision, (up, back, *parents) in revisions.items():
        text = HEAD.format(revision=revision, down=parents[0] if parents else before)
        (versions / f"{revision}.py").write_text(text + body("upgrade", up) + body("downgrade", back))
        before = revision
    (folder / "source" / "migrations" / "env.py").write_text((HERE / "envs" / f"{env}.py").read_text())
    (folder / "source" / "alembic.ini").write_text(INI)
    made = snapshot(folder / "source", limits=Limits())
    return Project(launch(**recipe), unpack(made.archive, made.digest, folder / "bundles"))


def rehearsed(
    folder: Path, scratch: Scratch, revisions: Mapping[str, Sequence[Any]], *, bounds: Bounds | None = None, **how: Any
) -> Rehearsal:
    """The rehearsal of all these revisions."""
    project = written(folder, revisions, **how)
    return rehearse(project.launch, project.bundle, scratch, list(revisions), bounds=bounds or Bounds())
