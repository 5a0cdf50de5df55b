"""What the plugin promises: no test reaches a server that the run has not started, and none is left behind."""

from __future__ import annotations

import fcntl
import os
import tempfile

from tests import servers_plugin


def test_what_a_killed_run_left_is_swept_and_a_living_run_is_left_alone(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for name in ("killed", "living"):
        (tmp_path / f"tidegate-tests-{name}").mkdir()
    (tmp_path / "tidegate-tests-killed/alive").touch()
    with (tmp_path / "tidegate-tests-living/alive").open("w") as alive:
        fcntl.flock(alive, fcntl.LOCK_EX)
        servers_plugin._sweep()
    assert [path.name for path in tmp_path.iterdir()] == ["tidegate-tests-living"]


def test_the_shells_own_servers_and_keys_are_forgotten(monkeypatch):
    names = ("TIDEGATE_DATABASE_URL", "TIDEGATE_KEYS_FILE", "PGPASSWORD", "PGSERVICE", "PG_BIN", "PATH")
    monkeypatch.setattr(os, "environ", dict.fromkeys(names, "the shell's"))
    servers_plugin._forget_the_shell()
    assert set(os.environ) == {"PG_BIN", "PATH"}
