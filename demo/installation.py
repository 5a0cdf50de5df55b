"""One running Tidegate: the servers it stands on, its own processes, and the people of the demo."""

from __future__ import annotations

import base64
import fcntl
import hashlib
import json
import os
import secrets
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO

from migrations_app.engines.servers.stack import Stack, start, stop_all
from migrations_app.errors import Unprocessable

CHECKOUT = Path(__file__).resolve().parent.parent
QUIET_STOP_S = 15.0
READY_S = 60.0
WORKERS = {
    # Steering must never wait behind work: a cancel has its own worker.
    "control": ["--queues=control,notify", "--concurrency=1"],
    "work": ["--queues=revisions,backfill", "--concurrency=3"],
}


class Installation:
    """A context: inside it everything runs; at its end everything that it started is stopped, its data stays."""

    def __init__(
        self, state_dir: Path, *, port: int, for_tests: bool, servers: Mapping[str, str] | None = None
    ) -> None:
        """`servers`: the environment that names servers which run already; without it they are started here."""
        self.state_dir, self.for_tests, self.servers = state_dir, for_tests, servers
        self.port = _free_port(port)
        self.url = f"http://127.0.0.1:{self.port}"
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.stack: Stack | None = None
        self.held: IO[str] | None = None
        self.environment: dict[str, str] = {}

    def __enter__(self) -> Installation:
        try:
            self._start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop()

    def watch(self, stop: threading.Event) -> None:
        """Stays until told to stop; a process that ends by itself ends the demo, with the end of its log."""
        while not stop.wait(1.0):
            for name, process in self.processes.items():
                if process.poll() is not None:
                    raise Unprocessable(f"{name} ended by itself ({process.returncode}):\n{self._tail(name)}")

    def python(self, *arguments: str) -> str:
        """Runs Python with this installation's settings and returns what it printed. Raises with its last errors."""
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=CHECKOUT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise Unprocessable(f"{' '.join(arguments)} failed:\n{done.stderr[-2000:]}")
        return done.stdout

    def _start(self) -> None:
        if not self.for_tests:  # theirs is a fresh directory that nobody else can name
            self._hold()
        if self.servers is None:
            say("starting PostgreSQL (control; target with its replica) and Valkey ...")
            self.stack = start(self.state_dir, for_tests=self.for_tests)
        self.environment = {**_inherited(), **self._server_environment(), **self._secrets()}
        self.environment |= {
            "DJANGO_SETTINGS_MODULE": "controlplane.settings",
            "TIDEGATE_BASE_URL": self.url,
            "TIDEGATE_STATE_DIR": str(self.state_dir),
            "PYTHONUNBUFFERED": "1",
        }
        self._keep_environment()
        say("preparing Tidegate's own database ...")
        self.python("manage.py", "migrate", "--no-input", "--verbosity=0")
        say("starting web, workers and scheduler ...")
        for name in ("web", *WORKERS, "scheduler"):
            self.spawn(name)
        self._wait_ready()

    def _stop(self) -> None:
        for process in self.processes.values():
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        until = time.monotonic() + QUIET_STOP_S
        for process in self.processes.values():
            try:
                process.wait(max(0.1, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        self.processes.clear()
        if self.servers is None:
            stop_all(self.state_dir, at_once=self.for_tests)
        if self.held is not None:
            self.held.close()

    def _server_environment(self) -> Mapping[str, str]:
        return self.stack.environment() if self.stack else self.servers or {}

    def spawn(self, name: str) -> None:
        """Starts web, a worker or the scheduler: in a session of its own, so that a Ctrl-C reaches only us."""
        python = [sys.executable, "-m"]
        celery = [*python, "celery", "--app=controlplane"]
        command = {
            "web": [*python, "gunicorn", "controlplane.wsgi", f"--bind=127.0.0.1:{self.port}", "--threads=16"],
            "scheduler": [*celery, "beat", "--pidfile=", "--loglevel=WARNING"],
        }.get(name) or [*celery, "worker", f"--hostname={name}@%h", "--loglevel=INFO", *WORKERS[name]]
        log: IO[bytes] = self._log(name).open("ab")
        with log:
            self.processes[name] = subprocess.Popen(
                command,
                cwd=CHECKOUT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _hold(self) -> None:
        """One demo at a time in one directory: whichever ended first would stop the servers of both."""
        name = hashlib.sha256(os.fsencode(self.state_dir.absolute())).hexdigest()[:16]
        # Beside it and not in it: the servers make the directory themselves, for an account of their own.
        self.held = (Path(tempfile.gettempdir()) / f"tidegate-demo-{name}.lock").open("w")
        try:
            fcntl.flock(self.held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.servers = {}  # nothing here is ours to stop
            raise Unprocessable(f"A demo runs in {self.state_dir} already: end that one first.") from None

    def _log(self, name: str) -> Path:
        folder = self.state_dir / "logs"
        folder.mkdir(exist_ok=True, mode=0o700)
        return folder / f"{name}.log"

    def _tail(self, name: str) -> str:
        return self._log(name).read_text(errors="replace")[-2000:]

    def _keep_environment(self) -> None:
        """For a shell that wants to run Tidegate's commands on this installation. It holds passwords: 0600."""
        kept = self.state_dir / "environment.sh"
        kept.touch(mode=0o600)
        names = sorted(name for name in self.environment if name.startswith("TIDEGATE_"))
        kept.write_text("".join(f"export {name}={shlex.quote(self.environment[name])}\n" for name in names))

    def _wait_ready(self) -> None:
        until = time.monotonic() + READY_S
        why = "it does not answer"
        while time.monotonic() < until:
            for name, process in self.processes.items():
                if process.poll() is not None:
                    raise Unprocessable(f"{name} did not start:\n{self._tail(name)}")
            try:
                urllib.request.urlopen(f"{self.url}/readyz", timeout=5).read()
                return
            except urllib.error.HTTPError as error:
                why = error.read().decode(errors="replace")[:500]
            except OSError as error:
                why = str(error)
            time.sleep(0.25)
        raise Unprocessable(f"Tidegate was not ready within {READY_S:.0f} s: {why}\nLogs are in {self.state_dir}/logs.")

    def _secrets(self) -> dict[str, str]:
        """Made once, kept 0600: a second run must open what the first one sealed."""
        kept = self.state_dir / "secrets.json"
        if not kept.exists():
            made = {
                "TIDEGATE_SECRET_KEY": secrets.token_urlsafe(50),
                "TIDEGATE_KEYS": "demo:" + base64.b64encode(secrets.token_bytes(32)).decode(),
            }
            kept.touch(mode=0o600)
            kept.write_text(json.dumps(made))
        found: dict[str, str] = json.loads(kept.read_text())
        return found


def say(text: str) -> None:
    print(text, flush=True)


def _inherited() -> Mapping[str, str]:
    """What of our own environment the processes get: nothing that would point them at another installation."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("TIDEGATE_", "PG", "DJANGO_"))}


def _free_port(wanted: int) -> int:
    for port in range(wanted, wanted + 100):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise Unprocessable(f"No port from {wanted} to {wanted + 99} is free. Choose another one with --port.")
