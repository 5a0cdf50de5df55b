"""JSON lines between this process and its parent, and the end of this process when the parent is gone."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import queue
import resource
import signal
import threading
from collections.abc import Callable
from typing import Any

PR_SET_PDEATHSIG = 1


class Stopped(BaseException):
    """The parent, or a fence of ours, ends the run. Not an Exception: env.py's `except Exception` must let it by."""


class Wire:
    def __init__(self, inbox: int, outbox: int) -> None:
        for fd in (inbox, outbox):
            os.set_inheritable(fd, False)  # what env.py starts shall not hold our pipes open after we are dead
        self._in, self._out = os.fdopen(inbox, encoding="utf-8"), outbox
        self._lock = threading.Lock()
        self._replies: queue.Queue[dict[str, Any]] = queue.Queue()
        self.on_cancel: Callable[[str], None] = lambda _reason: None

    def spec(self) -> dict[str, Any]:
        spec: dict[str, Any] = json.loads(self._in.readline())
        threading.Thread(target=self._listen, daemon=True).start()
        return spec

    def _listen(self) -> None:
        for line in self._in:
            message = json.loads(line)
            if message["do"] == "cancel":
                self.on_cancel(message["reason"])
            else:
                self._replies.put(message)
        os.killpg(0, signal.SIGKILL)  # end of file: the parent is dead, and nobody watches this run any more

    def send(self, kind: str, **data: Any) -> None:
        line = (json.dumps({"kind": kind, **data}, default=str) + "\n").encode("utf-8", "replace")
        with self._lock:
            while line:
                line = line[os.write(self._out, line) :]

    def reply(self) -> dict[str, Any]:
        return self._replies.get()


def confine(limits: dict[str, int]) -> None:
    """Sets our own limits before any foreign code runs. Done here and not between fork and exec of the parent, where
    Python code may deadlock in a process with threads."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    for name, value in {**limits, "CORE": 0}.items():
        which = getattr(resource, "RLIMIT_" + name)
        _, hard = resource.getrlimit(which)
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(which, (value, value))
