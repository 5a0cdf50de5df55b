"""Real projects from PyPI that ship their Alembic history, each in an interpreter of its own.

`<id>.txt` pins what is installed, `<id>.json` says how the project is started. The interpreters are kept in the folder
TIDEGATE_CORPORA_DIR, or else below the temporary directory.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from migrations_app.engines.postgres.address import parse
from migrations_app.engines.runner.interpreter import interpreter
from migrations_app.engines.runner.launch import Launch, fill

HERE = Path(__file__).parent
IDS = ("optuna", "quetz", "ckan", "prefect", "invenio")


@dataclass(frozen=True)
class Recipe:
    """One real project: `launch` is what Tidegate gets, `source` writes its folder."""

    id: str
    python: Path
    data: dict[str, Any]

    @property
    def expected(self) -> dict[str, Any]:
        return self.data["expected"]

    @property
    def json(self) -> dict[str, Any]:
        """The recipe as `POST projects/` takes it, but for name and source."""
        return {"python": [str(self.python)], **self.data["recipe"]}

    @property
    def launch(self) -> Launch:
        return Launch.from_json(self.json)

    def source(self, folder: Path) -> Path:
        values = {"site": interpreter([str(self.python)]).site}
        for name, text in self.data["files"].items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text.replace("{site}", values["site"]))
        return folder

    def prepare(self, url: str) -> None:
        """What a database of this project must have before its first revision."""
        with psycopg.connect(url, autocommit=True) as connection:
            for statement in self.data.get("before", ()):
                connection.execute(statement)


def recipe(corpus: str) -> Recipe:
    """Installs the project when it is not there yet."""
    return Recipe(corpus, _installed(corpus), json.loads((HERE / f"{corpus}.json").read_text()))


def plain_upgrade(corpus: str, url: str, folder: Path) -> str:
    """Plain Alembic from empty to heads, without any of Tidegate: "" or what it says when it fails.

    `folder` is scratch space.
    """
    found = recipe(corpus)
    driven = parse(url).url(found.data["driver"], with_password=True)
    values = {"url": driven, "work": str(folder)}
    env = {"PATH": os.defpath, "HOME": str(folder), "LANG": "C.UTF-8"}
    env |= {name: fill(text, values) for name, text in found.launch.env.items()}
    env |= dict.fromkeys(found.launch.url.env, driven)
    ini = found.source(folder / "plain") / "alembic.ini"
    spec = {"ini": str(ini), "url": driven, "hook": fill(found.launch.hook or "", values)}
    command = [str(found.python), str(HERE / "plain_alembic.py")]
    run = subprocess.run(
        command, input=json.dumps(spec), env=env, cwd=folder, capture_output=True, text=True, check=False
    )
    return run.stderr[-2000:] if run.returncode else ""


def _installed(corpus: str) -> Path:
    pins = HERE / f"{corpus}.txt"
    root = Path(
        os.environ.get("TIDEGATE_CORPORA_DIR") or Path(tempfile.gettempdir()) / f"tidegate-corpora-{os.getuid()}"
    )
    root.mkdir(parents=True, exist_ok=True)
    place = root / f"{corpus}-{hashlib.sha256(pins.read_bytes()).hexdigest()[:12]}"
    with (root / f"{place.name}.lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)  # test workers are processes
        if not (place / "complete").exists():
            uv = _uv(root)
            subprocess.run([*uv, "venv", "--clear", "-q", "-p", sys.executable, place], check=True)
            python = place / "bin" / "python"
            subprocess.run([*uv, "pip", "install", "-q", "--no-deps", "-p", python, "-r", pins], check=True)
            (place / "complete").touch()
    return place / "bin" / "python"


def _uv(root: Path) -> list[str]:
    """pip would take minutes for these; uv takes seconds."""
    place = root / "uv"
    with (root / "uv.lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if not (place / "bin" / "uv").exists():
            subprocess.run([sys.executable, "-m", "venv", place], check=True)
            subprocess.run([place / "bin" / "pip", "install", "-q", "uv"], check=True)
    return [str(place / "bin" / "uv")]
