"""What the project's own Python is and has, asked without loading any of the project."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from migrations_app.errors import Invalid, ProjectBroken

DRIVERS = ("psycopg", "psycopg2", "asyncpg")
ASK = f"""
import importlib.util, json, sys, sysconfig
has = lambda name: importlib.util.find_spec(name) is not None
print(json.dumps({{"version": sys.version.split()[0], "site": sysconfig.get_paths()["purelib"], "venv": sys.prefix,
    "alembic": has("alembic"), "drivers": [d for d in {DRIVERS} if has(d)]}}))
"""


@dataclass(frozen=True)
class Interpreter:
    version: str
    site: str  # its site-packages
    venv: str
    drivers: tuple[str, ...]

    @property
    def driver(self) -> str:
        """The one for SQLAlchemy URLs when the recipe names none. Raises `ProjectBroken` when there is none at all."""
        if not self.drivers:
            raise ProjectBroken(
                f"The project's Python has no PostgreSQL driver ({', '.join(DRIVERS)}). Install one of them there."
            )
        return self.drivers[0]


def interpreter(python: Sequence[str]) -> Interpreter:
    """Asked anew each time (some 30 ms): a long-lived worker must notice what was installed.

    Raises `Invalid` at /python when it does not start, `ProjectBroken` when it has no Alembic."""
    try:
        asked = subprocess.run([*python, "-I", "-c", ASK], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Invalid.field("/python", f"{python[0]} does not start: {type(error).__name__}.") from None
    if asked.returncode != 0:
        last = (asked.stderr.strip().splitlines() or ["no message"])[-1]
        raise Invalid.field("/python", f"{python[0]} is no usable Python: {last[:200]}")
    told = json.loads(asked.stdout.splitlines()[-1])
    if not told.pop("alembic"):
        raise ProjectBroken(f"Alembic is not installed for {python[0]}. Install the project's requirements there.")
    return Interpreter(**{**told, "drivers": tuple(told["drivers"])})
