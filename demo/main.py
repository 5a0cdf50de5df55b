"""`manage.py demo`: all of Tidegate on one machine, with a shop to change. `--once` tells its story unattended."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import threading
from pathlib import Path
from types import FrameType

from demo import once, opening
from demo.installation import Installation
from migrations_app.engines.runner.bundle import discard
from migrations_app.engines.servers.stack import default_state_dir
from migrations_app.errors import TidegateError


def main(argv: list[str]) -> int:
    """0 when all went well; 1 with the reason on stderr otherwise."""
    parser = argparse.ArgumentParser(prog="manage.py demo", description=__doc__)
    parser.add_argument("--once", action="store_true", help="run the whole story through the REST API, then exit")
    parser.add_argument("--port", type=int, default=8000, help="where the web server listens (the next free one)")
    parser.add_argument("--state-dir", type=Path, help="where servers keep their data (default: outside the checkout)")
    options = parser.parse_args(argv)
    for number in (signal.SIGTERM, signal.SIGINT):  # SIGINT too: a shell's background job inherits it ignored
        signal.signal(number, _as_interrupt)
    try:
        return _once(options) if options.once else _stay(options)
    except TidegateError as error:
        print(f"\nThe demo stopped: {error.detail}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted; everything that the demo started is stopped.", file=sys.stderr)
        return 130


def _stay(options: argparse.Namespace) -> int:
    state_dir = options.state_dir or default_state_dir()
    with Installation(state_dir, port=options.port, for_tests=False) as tidegate:
        opening.prepare(tidegate)
        opening.tell(tidegate)
        tidegate.watch(threading.Event())
    return 0


def _once(options: argparse.Namespace) -> int:
    """Always from nothing, in a directory of its own, so that no earlier run can make it pass or fail."""
    state_dir = options.state_dir or Path(tempfile.mkdtemp(prefix="tidegate-once-"))
    state_dir.mkdir(exist_ok=True)
    state_dir.chmod(0o711)
    try:
        with Installation(state_dir, port=options.port, for_tests=True) as tidegate:
            return once.tell(tidegate)
    finally:
        if options.state_dir is None:
            discard(state_dir)


def _as_interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
