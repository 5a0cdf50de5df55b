"""Starts the servers of a test run, once, and points Tidegate at them before Django reads its settings.

Loaded by `-p tests.servers_plugin` (pyproject.toml), so run pytest as `python -m pytest`. With xdist only the
controller starts servers; its workers inherit the environment. Every run has servers of its own, with random
passwords, below the temp directory: whatever TIDEGATE_* or PG* variables a developer's shell holds, no test reaches
another database.
"""

from __future__ import annotations

import base64
import fcntl
import os
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest

from migrations_app.engines import servers
from migrations_app.engines.runner.bundle import discard
from migrations_app.errors import TidegateError

PREFIX = "tidegate-tests-"
SETTINGS = {
    "TIDEGATE_SECRET_KEY": "only-for-tests-" + "0123456789abcdef" * 4,
    "TIDEGATE_KEYS": "k1:" + base64.b64encode(bytes(range(32))).decode(),
    "TIDEGATE_ALLOWED_HOSTS": "testserver,localhost,127.0.0.1",
    "TIDEGATE_BASE_URL": "http://testserver",
    "TIDEGATE_DEBUG": "0",
}
# `--help` and `--collect-only` load the settings as well, and need no server for it.
NOWHERE = {
    "TIDEGATE_DATABASE_URL": "postgresql://tidegate@127.0.0.1:1/tidegate",
    "TIDEGATE_BROKER_URL": "redis://127.0.0.1:1/0",
}


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None]:
    """A wrapper, because pytest-django reads the settings in this same hook."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        _forget_the_shell()
        os.environ.update(SETTINGS)
        options = early_config.known_args_namespace
        if options.help or options.version or options.collectonly:
            os.environ.update(NOWHERE)
        else:
            _start(early_config)
    else:
        _own_broker_database()
    return (yield)


def _own_broker_database() -> None:
    """Each xdist worker has messages of its own: another one's Celery worker would not know these rows."""
    number = int(os.environ["PYTEST_XDIST_WORKER"].removeprefix("gw")) + 1
    url = os.environ["TIDEGATE_BROKER_URL"]
    os.environ["TIDEGATE_BROKER_URL"] = f"{url.rpartition('/')[0]}/{number}"


def _forget_the_shell() -> None:
    kept = {"TIDEGATE_CHROMIUM", "PG_BIN"}
    for name in [name for name in os.environ if name.startswith(("TIDEGATE_", "PG")) and name not in kept]:
        del os.environ[name]


def _start(config: pytest.Config) -> None:
    _sweep()
    state_dir = Path(tempfile.mkdtemp(prefix=PREFIX))
    state_dir.chmod(0o711)  # the servers' account has to pass through
    alive = (state_dir / "alive").open("w")
    fcntl.flock(alive, fcntl.LOCK_EX)

    def finish() -> None:
        _stop(state_dir)
        alive.close()

    config.add_cleanup(finish)  # pytest calls it on Ctrl-C and on a failed start too
    try:
        stack = servers.start(state_dir, for_tests=True)
    except TidegateError as reason:  # a sentence for a person: the traceback would only hide it
        raise pytest.UsageError(reason.detail) from None
    os.environ.update(stack.environment())
    os.environ["TIDEGATE_STATE_DIR"] = str(state_dir)
    os.environ["TIDEGATE_TEST_PRIMARY_URL"] = stack.primary.url()
    os.environ["TIDEGATE_TEST_REPLICA_URL"] = stack.replica.url()


def _stop(state_dir: Path) -> None:
    servers.stop_all(state_dir, at_once=True)
    discard(state_dir)


def _sweep() -> None:
    """Take away what runs that were killed have left: their lock is free although their directory is there."""
    for state_dir in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        try:
            with (state_dir / "alive").open() as alive:
                fcntl.flock(alive, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _stop(state_dir)
        except OSError as reason:  # alive, another user's, or swept by somebody else this very moment
            if not isinstance(reason, BlockingIOError | PermissionError | FileNotFoundError):
                sys.stderr.write(f"left over and not removed: {state_dir} ({reason})\n")
