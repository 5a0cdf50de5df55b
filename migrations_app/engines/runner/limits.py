"""How much a project's code may use, and what of the host bounds it."""

from __future__ import annotations

import functools
import os
import subprocess
from dataclasses import dataclass

GiB = 1024**3
MiB = 1024**2


@dataclass(frozen=True)
class Limits:
    """Bounds for one child process, and for one bundle. They limit damage; approval is the control."""

    memory_bytes: int = 4 * GiB  # address space, which is several times what is resident once threads have stacks
    cpu_s: int = 3600
    file_bytes: int = 256 * MiB
    open_files: int = 1024
    output_bytes: int = 10 * MiB
    read_wall_s: float = 120.0  # history, plan and SQL; a run gets its own wall clock
    bundle_bytes: int = 200 * MiB
    bundle_files: int = 20_000

    def rlimits(self) -> dict[str, int]:
        return {"AS": self.memory_bytes, "CPU": self.cpu_s, "FSIZE": self.file_bytes, "NOFILE": self.open_files}


NAMESPACES = (
    ["unshare", "--pid", "--fork", "--kill-child"],
    ["unshare", "--user", "--map-current-user", "--pid", "--fork", "--kill-child"],
)


@functools.cache
def prefix() -> tuple[str, ...]:
    """The command that puts a child into a process namespace of its own, where the host allows it: killing its first
    process then ends everything in it, also what left the process group. `setpriv` ends it with us."""
    for namespace in NAMESPACES:
        command = ["setpriv", "--pdeathsig", "KILL", *namespace]
        try:
            tried = subprocess.run([*command, "true"], capture_output=True, timeout=10, check=False)
        except (OSError, subprocess.TimeoutExpired):
            continue
        if tried.returncode == 0:
            return tuple(command)
    return ()


def isolation() -> str:
    """What is active here, in words for `doctor` and the pages."""
    own = "process namespace of its own" if prefix() else "process group only (no process namespace on this host)"
    user = "the worker's user" + (" (root: run the workers as another user)" if os.geteuid() == 0 else "")
    return f"separate process, {own}, private home, read-only bundle, limits on memory, CPU, files; runs as {user}"
