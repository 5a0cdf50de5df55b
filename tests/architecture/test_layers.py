"""Imports run one way. The contracts stand in pyproject.toml; here they are kept."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.architecture.tree import APP, ROOT

LAYERS = {"api", "web", "management", "tasks", "stages", "lifecycle", "models", "engines", "errors"}


def test_every_import_contract_is_kept() -> None:
    lint_imports = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [str(lint_imports), "--no-cache"], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_module_at_the_top_of_the_app_has_a_place_in_the_layers() -> None:
    found = {path.stem for path in APP.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert found - {"__init__", "apps", "migrations"} <= LAYERS
