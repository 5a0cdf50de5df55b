"""The operating system's user that the embedded servers run as.

PostgreSQL refuses to run as root, so root hands the servers to `postgres` or `nobody`; anybody else runs them as
themselves. Everything that the servers must read or write therefore goes through this account.
"""

from __future__ import annotations

import os
import pwd
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from migrations_app.errors import Unprocessable

CANDIDATES = ("postgres", "nobody")


@dataclass(frozen=True)
class Finished:
    """A program that has ended: its exit code, and what it printed on both channels."""

    code: int
    output: str


@dataclass(frozen=True)
class Account:
    """Who runs the servers. `uid` and `gid` are None when it is simply the user we already are."""

    name: str
    uid: int | None = None
    gid: int | None = None

    @classmethod
    def current(cls) -> Account:
        """The account for this process. Raises Unprocessable when PostgreSQL would accept nobody."""
        if os.geteuid() != 0:
            return cls(name=_login_name(os.geteuid()))
        for name in CANDIDATES:
            try:
                entry = pwd.getpwnam(name)
            except KeyError:
                continue
            return cls(name=name, uid=entry.pw_uid, gid=entry.pw_gid)
        raise Unprocessable(
            "PostgreSQL refuses to run as root, and this machine has neither a user 'postgres' nor 'nobody'. "
            "Run as an ordinary user, or make one: useradd --system postgres",
            code="servers_no_account",
        )

    def run(self, argv: Sequence[str | Path], *, timeout_s: float, env: Mapping[str, str] | None = None) -> Finished:
        """Run a program as this account and wait for it.

        The environment is empty but for what is given: ours holds secrets and PG* variables. The output goes to a
        file, because a server that the program leaves behind keeps a pipe open and the wait would never end. The
        working directory is /, because the account may not be allowed into ours.
        """
        surroundings = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", **(env or {})}
        with tempfile.TemporaryFile() as sink:
            done = subprocess.run(
                [str(word) for word in argv],
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                cwd="/",
                env=surroundings,
                user=self.uid,
                group=self.gid,
                extra_groups=None if self.uid is None else [],
                start_new_session=True,  # Ctrl-C in the terminal must reach us, not the servers
                timeout=timeout_s,
                check=False,
            )
            sink.seek(0)
            return Finished(done.returncode, sink.read().decode(errors="replace").strip())

    def can_run(self, program: Path) -> bool:
        """Whether the program starts at all: reachable, executable, its libraries found."""
        try:
            return self.run([program, "--version"], timeout_s=20).code == 0
        except OSError:
            return False

    def make_dir(self, path: Path) -> Path:
        """A directory that only the account (and root) can enter; it may be there already."""
        path.mkdir(mode=0o700, exist_ok=True)
        self._own(path)
        return path

    def write(self, path: Path, text: str) -> None:
        """Write a file that only the account (and root) can read. Replaced in one move: no reader sees half of it."""
        draft = path.with_name(f".{path.name}.new")
        draft.unlink(missing_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        self._own(draft)
        draft.replace(path)

    def _own(self, path: Path) -> None:
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)


def _login_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        raise Unprocessable(
            f"User id {uid} has no name on this machine, and PostgreSQL refuses to run without one. Give it one in "
            f"/etc/passwd (useradd --uid {uid} tidegate), or run as another user.",
            code="servers_no_account",
        ) from None
