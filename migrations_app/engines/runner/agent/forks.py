"""Many runs of one rehearsal without starting Python for each: what all of them load is loaded once, then forked.

Each run still has a process of its own, for Alembic keeps globals. Nothing of the project is loaded before the fork.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import json
import os
import select
import signal
import sys
from collections.abc import Callable
from typing import Any

from .wire import confine


def serve(inbox: int, outbox: int, run: Callable[[int, int], int], driver: str) -> int:
    """For each spec that arrives a fork that reads it and runs; `ended` says that the next may be sent.

    This process never reads the pipe itself, so that a fork finds all of its lines there.
    """
    confine({})
    signal.signal(signal.SIGTERM, _leave)
    for fd in (inbox, outbox):
        os.set_inheritable(fd, False)
    _load(driver)
    arrivals = select.poll()
    arrivals.register(inbox, select.POLLIN)
    while arrivals.poll()[0][1] & select.POLLIN:  # a hang-up alone: the parent is gone
        child = os.fork()
        if child == 0:
            _exit(run(inbox, outbox))
        _, status = os.waitpid(child, 0)
        os.write(outbox, (json.dumps({"kind": "ended", "status": status}) + "\n").encode())
    return 0


def _load(driver: str) -> None:
    """What every run loads before the project's own hook, in any case."""
    import alembic.config
    import alembic.runtime.environment
    import alembic.script
    import sqlalchemy.dialects.postgresql

    from . import rehearsing

    del alembic, sqlalchemy, rehearsing
    with contextlib.suppress(ImportError):  # the recipe may name what is no module, as psycopg_async
        importlib.import_module(driver)


def _exit(code: int) -> None:
    """Exit handlers run, as in a run of its own; taking all modules apart would cost more than the run itself."""
    with contextlib.suppress(BaseException):
        atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    os._exit(code)


def _leave(_signum: int, _frame: Any) -> None:
    sys.exit(143)
