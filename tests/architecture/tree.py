"""The checkout as the architecture tests see it: paths and syntax trees, nothing imported, nothing run."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
APP = ROOT / "migrations_app"
CODE = ("clients", "controlplane", "migrations_app", "bench", "deploy", "demo", "scripts", "tests")
# Made by tools, or not ours: what they hold is no sentence of this project.
NOT_OURS = {".git", ".venv", ".state", "node_modules", "staticfiles", "__pycache__", "pgdata"}


def files(*suffixes: str, under: Path = ROOT) -> Iterator[Path]:
    """Every file below a folder with one of these suffixes, in a stable order; hidden folders are left out."""
    for folder, names, found in os.walk(under):
        names[:] = sorted(name for name in names if name not in NOT_OURS and not name.endswith("_cache"))
        yield from (Path(folder, name) for name in sorted(found) if name.endswith(suffixes or ("",)))


def python(*folders: str) -> Iterator[Path]:
    """Our Python, without the schema migrations that Django writes and the revisions of sample histories."""
    for folder in folders or CODE:
        yield from (path for path in files(".py", under=ROOT / folder) if "migrations" not in path.parts)


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def short(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()
