"""One child process: started with nothing but what it needs, watched, and ended with all it started."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from migrations_app.engines.runner.limits import prefix
from migrations_app.engines.runner.redact import Redactor

CHILD = Path(__file__).with_name("child.py")
TERM_GRACE_S = 5.0
LAST = frozenset({"done", "failed", "stopped", "died"})


@dataclass(frozen=True)
class Event:
    """One line of the child. `died` is ours: the process ended without a last word."""

    kind: str
    data: Mapping[str, Any]

    @property
    def last(self) -> bool:
        return self.kind in LAST


class Process:
    """Must live in a thread that outlives the child: the kernel ends the child with the thread that started it."""

    def __init__(
        self,
        python: Sequence[str],
        spec: Mapping[str, Any],
        env: Mapping[str, str],
        redactor: Redactor,
        output_bytes: int,
    ) -> None:
        self.redactor = redactor
        self._tmpdir = env["TMPDIR"]
        self._lines: deque[bytes] = deque()
        self._rest = b""
        child_in, self._to = os.pipe()
        self._from, child_out = os.pipe()
        try:
            self._popen = subprocess.Popen(
                [*prefix(), *python, "-I", "-B", str(CHILD), str(child_in), str(child_out)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=dict(env),
                pass_fds=(child_in, child_out),
                start_new_session=True,
                close_fds=True,
            )
        finally:
            os.close(child_in)
            os.close(child_out)
        self._output = Output(self._popen.stdout, output_bytes)
        self.send(spec)

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def running(self) -> bool:
        return self._popen.poll() is None

    def send(self, message: Mapping[str, Any]) -> None:
        """Nothing happens when the child is gone: the next event says so."""
        with contextlib.suppress(BrokenPipeError, OSError):
            line = (json.dumps(message) + "\n").encode()
            while line:
                line = line[os.write(self._to, line) :]

    def next_event(self, timeout_s: float) -> Event | None:
        """The next event in order, or None when there was none for `timeout_s`."""
        until = time.monotonic() + timeout_s
        while not self._lines:
            if not self._wait_readable(max(0.0, until - time.monotonic())):
                return None
            data = os.read(self._from, 1 << 16)
            if not data:
                return self._died()
            *lines, self._rest = (self._rest + data).split(b"\n")
            self._lines.extend(lines)
        message = self.redactor.value(json.loads(self._lines.popleft()))
        return Event(message.pop("kind"), message)

    def _wait_readable(self, timeout_s: float) -> bool:
        with selectors.DefaultSelector() as selector:
            selector.register(self._from, selectors.EVENT_READ)
            return bool(selector.select(timeout_s))

    def _died(self) -> Event:
        code = self.wait(TERM_GRACE_S)
        how = f"by signal {-code} ({signal.Signals(-code).name})" if code < 0 else f"with exit code {code}"
        return Event(
            "died", {"exit_code": code, "reason": f"The process ended {how} before it could say how far it came."}
        )

    def output(self) -> str:
        """What it printed, secrets taken out, the middle left out when it was too much."""
        return self.redactor.text(self._output.text())

    def wait(self, timeout_s: float) -> int:
        """The exit code; a child that does not end by itself is killed. Everything that it started goes with it."""
        try:
            self._popen.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
        self._sweep()
        return self._popen.wait()

    def kill(self) -> None:
        """SIGTERM to the group, so that drivers can cancel their statement; after 5 s SIGKILL."""
        if self.running:
            self._signal(signal.SIGTERM)
        self.wait(TERM_GRACE_S)
        self.close()

    def kill_hard(self) -> None:
        """SIGKILL at once; the next event is `died`."""
        self._signal(signal.SIGKILL)

    def close(self) -> None:
        for name in ("_to", "_from"):
            fd = getattr(self, name)
            setattr(self, name, -1)
            if fd >= 0:
                os.close(fd)

    def _sweep(self) -> None:
        """The group outlives its leader as long as one member is left. What left the group dies with the namespace, or
        else is known by the private folder in its environment."""
        if self.running:
            return
        self._signal(signal.SIGKILL)
        for pid in () if prefix() else marked(f"TMPDIR={self._tmpdir}".encode()):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._popen.pid, number)


def marked(variable: bytes) -> Iterator[int]:
    """The processes that have exactly this in their environment, as far as we may look."""
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if variable in (place / "environ").read_bytes().split(b"\0"):
                yield int(place.name)


class Output:
    """Drains what a child prints, so that it never blocks, and keeps the first and the last half of the cap."""

    def __init__(self, stream: Any, cap_bytes: int) -> None:
        self._half = cap_bytes // 2
        self._head, self._tail, self._dropped = bytearray(), bytearray(), 0
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._drain, args=(stream,), daemon=True)
        self._thread.start()

    def _drain(self, stream: Any) -> None:
        with stream:
            while data := stream.read1(1 << 16):
                with self._lock:
                    room = max(0, self._half - len(self._head))
                    self._head += data[:room]
                    self._tail += data[room:]
                    extra = len(self._tail) - self._half
                    if extra > 0:
                        self._dropped += extra
                        del self._tail[:extra]

    def text(self) -> str:
        self._thread.join(timeout=0.5)  # after the end there may be a last piece in the pipe
        with self._lock:
            gap = f"\n[... {self._dropped} bytes left out ...]\n".encode() if self._dropped else b""
            return (bytes(self._head) + gap + bytes(self._tail)).decode("utf-8", "replace")
