"""Tiny Alembic histories as test data: `envs/` has the ways to write an env.py, `versions/` one folder a history."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from migrations_app.engines.postgres.address import parse
from migrations_app.engines.runner.bundle import snapshot, unpack
from migrations_app.engines.runner.launch import Launch
from migrations_app.engines.runner.limits import Limits
from migrations_app.engines.runner.runs import Run, start_run

HERE = Path(__file__).parent
INI = "[alembic]\nscript_location = %(here)s/migrations\nprepend_sys_path = .\n"
LOCK_KEY = 7_000_000_000_000_000_123  # both halves of a 64 bit key


def lay(folder: Path, versions: str, env: str = "plain", ini: str = INI) -> Path:
    """A project folder made of one history and one env.py."""
    shutil.copytree(HERE / "versions" / versions, folder / "migrations" / "versions")
    shutil.copy(HERE / "envs" / f"{env}.py", folder / "migrations" / "env.py")
    (folder / "alembic.ini").write_text(ini)
    return folder


def launch(**recipe: Any) -> Launch:
    return Launch.from_json({"python": [sys.executable], **recipe})


@dataclass
class Project:
    launch: Launch
    bundle: Path

    def run(self, url: str, *, to: str = "heads", go: bool = True, **options: Any) -> Run:
        """A started run; with `go`, one that got its word."""
        settings = {
            "lock_key": LOCK_KEY,
            "application_name": "tidegate:test:1",
            "lock_timeout_ms": 3000,
            "wall_s": 60.0,
        }
        run = start_run(self.launch, self.bundle, parse(url), destination=(to,), **{**settings, **options})
        if go:
            run.go()
        return run


def project(tmp_path: Path, versions: str, env: str = "plain", **recipe: Any) -> Project:
    source = lay(tmp_path / "source", versions, env)
    made = snapshot(source, limits=Limits())
    return Project(launch(**recipe), unpack(made.archive, made.digest, tmp_path / "bundles"))
