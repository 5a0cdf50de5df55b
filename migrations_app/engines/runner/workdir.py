"""The private folder of one child process, and the environment and values that point to it.

How a password gets to the server without being in argv, environment or URL (tried with psycopg 3.3, psycopg2 2.9 and
asyncpg 0.31): libpq fills whatever a connection leaves out from the service that PGSERVICE names in PGSERVICEFILE, also
when env.py passes host, port, user and database of its own; asyncpg knows no service file but reads PGPASSFILE.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from migrations_app.engines.postgres.address import Address
from migrations_app.engines.runner.interpreter import Interpreter
from migrations_app.engines.runner.launch import Launch, fill
from migrations_app.engines.runner.redact import Redactor
from migrations_app.errors import Invalid

SERVICE = "tidegate"
PREFIX, OWNER = "tidegate-run-", "owner.lock"
YOUNG_S = 10  # a folder younger than this may not have its lock yet
OFFLINE = Address(host="127.0.0.1", port=9, database="offline", user="offline")  # for verbs that need no database
# Without these a network partition leaves a client waiting for ever; with them it fails after some 11 s.
KEEPALIVE = {
    "keepalives": "1",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",
    "connect_timeout": "10",
    "target_session_attrs": "read-write",
}


@dataclass(frozen=True)
class Workdir:
    path: Path
    env: Mapping[str, str]
    values: Mapping[str, str]
    redactor: Redactor

    def spec(self, launch: Launch, bundle_dir: Path) -> dict[str, object]:
        """What the child must know of the recipe, with all placeholders filled."""
        x_args = [fill(argument, self.values) for argument in launch.x_args]
        if launch.url.x_arg:
            x_args.append(f"{launch.url.x_arg}={self.values['url']}")
        return {
            "bundle": str(bundle_dir),
            "work": str(self.path),
            "cwd": str(self._inside(launch.working_dir or ".", bundle_dir, "/working_dir")),
            "ini": str(self._ini(launch, bundle_dir)),
            "section": launch.ini_section,
            "script_location": fill(launch.script_location, self.values) if launch.script_location else None,
            "url": self.values["url"],
            "ini_url": launch.url.ini,
            "x_args": x_args,
            "hook": fill(launch.hook, self.values) if launch.hook else None,
        }

    def _ini(self, launch: Launch, bundle_dir: Path) -> Path:
        name = fill(launch.alembic_ini, self.values)
        if name in launch.files:
            return self.path / name
        ini = bundle_dir / name
        if not ini.is_file():
            raise Invalid.field("/alembic_ini", f"There is no {launch.alembic_ini} in the project.")
        return ini

    def _inside(self, name: str, bundle_dir: Path, pointer: str) -> Path:
        folder = Path(os.path.normpath(bundle_dir / fill(name, self.values)))
        if not folder.is_relative_to(bundle_dir) and not folder.is_relative_to(self.path):
            raise Invalid.field(pointer, f"{name} leaves the project's folder.")
        if not folder.is_dir():
            raise Invalid.field(pointer, f"There is no folder {name} in the project.")
        return folder


@contextmanager
def workdir(
    launch: Launch,
    bundle_dir: Path,
    interpreter: Interpreter,
    address: Address = OFFLINE,
    *,
    application_name: str = "tidegate",
    settings: Mapping[str, str] | None = None,
) -> Iterator[Workdir]:
    """Makes the folder (0700) with service file, password file and rendered files (0600), and removes it at the end."""
    sweep_abandoned()
    path = Path(tempfile.mkdtemp(prefix=PREFIX))
    owner = (path / OWNER).open("w")
    fcntl.flock(owner, fcntl.LOCK_EX)  # held as long as this process lives
    try:
        yield _fill(path, launch, bundle_dir, interpreter, address, application_name, settings or {})
    finally:
        shutil.rmtree(path, ignore_errors=True)
        owner.close()


def sweep_abandoned() -> None:
    """Removes the folders of workers that were killed: a password lies in each. Their lock went with them."""
    for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError), (path / OWNER).open() as owner:  # not ours, just made, or being removed
            fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if time.time() - path.stat().st_mtime > YOUNG_S:
                shutil.rmtree(path, ignore_errors=True)


def _fill(
    path: Path,
    launch: Launch,
    bundle_dir: Path,
    interpreter: Interpreter,
    address: Address,
    application_name: str,
    settings: Mapping[str, str],
) -> Workdir:
    values = _values(launch, interpreter, address) | {"work": str(path), "bundle": str(bundle_dir)}
    options = " ".join(f"-c {name}={value}" for name, value in settings.items())
    _write(path / "pg_service.conf", _service(address, application_name, options))
    _write(path / "pgpass", _passfile(address))
    for name, template in launch.files.items():
        _write(path / name, fill(template, values))
    home = path / "home"
    home.mkdir()
    env = {
        "PATH": os.environ.get("PATH", os.defpath),
        "LANG": "C.UTF-8",
        "HOME": str(home),
        "TMPDIR": str(home),
        "PGSERVICE": SERVICE,
        "PGSERVICEFILE": str(path / "pg_service.conf"),
        "PGPASSFILE": str(path / "pgpass"),
        "PGAPPNAME": application_name,
        "PGOPTIONS": options,
        **{f"PG{name.upper()}": value for name, value in address.options if name in ("sslmode", "sslrootcert")},
        **dict.fromkeys(launch.url.env, values["url"]),
        **{name: fill(template, values) for name, template in launch.env.items()},
    }
    return Workdir(path, env, values, Redactor([address.password]))


def _values(launch: Launch, interpreter: Interpreter, address: Address) -> dict[str, str]:
    driver = launch.url.driver or interpreter.driver
    sync = next((d for d in interpreter.drivers if d != "asyncpg"), driver)
    plain = Address(address.host, address.port, address.database, address.user)  # its options are in the service file
    url = plain.url(driver)
    return {
        "url": url,
        "url_pct": url.replace("%", "%%"),
        "url_plain": plain.url(),
        "url_sync": plain.url(sync),
        "host": address.host,
        "port": str(address.port),
        "user": address.user,
        "password": address.password or "",
        "db": address.database,
        "site": interpreter.site,
        "venv": interpreter.venv,
    }


def _service(address: Address, application_name: str, options: str) -> str:
    pairs = {
        "host": address.host,
        "port": str(address.port),
        "dbname": address.database,
        "user": address.user,
        "password": address.password,
        "application_name": application_name,
        "options": options,
        **KEEPALIVE,
        **dict(address.options),
    }
    return f"[{SERVICE}]\n" + "".join(f"{name}={value}\n" for name, value in pairs.items() if value)


def _passfile(address: Address) -> str:
    fields = (address.host, str(address.port), address.database, address.user, address.password or "")
    return ":".join(field.replace("\\", "\\\\").replace(":", "\\:") for field in fields) + "\n"


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
