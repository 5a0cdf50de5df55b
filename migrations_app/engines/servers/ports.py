"""Free TCP ports on the loopback interface."""

from __future__ import annotations

import secrets
import socket

# Below the range from which the kernel picks outgoing ports: a port seen free there can be gone a moment later.
LOWEST, HIGHEST = 20000, 32000
LOOPBACK = "127.0.0.1"


def is_free(port: int) -> bool:
    """Whether nobody listens on the port of 127.0.0.1 now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # what the servers do: TIME_WAIT is no obstacle
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def pick(preferred: int | None = None) -> int:
    """The preferred port when it is free, else a random free one. Random, so that two starts seldom meet."""
    if preferred is not None and is_free(preferred):
        return preferred
    while True:
        port = LOWEST + secrets.randbelow(HIGHEST - LOWEST)
        if is_free(port):
            return port
