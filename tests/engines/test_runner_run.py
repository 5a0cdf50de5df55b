"""Runs on a real target: the lock, the word, the events, and every way in which a run may end."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg
import pytest

from migrations_app.engines.runner import process
from migrations_app.engines.runner.limits import Limits
from tests.engines.histories import LOCK_KEY, project


@pytest.fixture
def ask(database_url):
    """Runs one query on the target, gives the first column."""

    def ask(query):
        with psycopg.connect(database_url, autocommit=True) as connection:
            cursor = connection.execute(query)
            return [row[0] for row in cursor.fetchall()] if cursor.description else []

    return ask


def tables(ask):
    return set(ask("SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"))


def kinds(events, *wanted):
    return [event for event in events if event.kind in wanted]


def locked(run):
    event = run.next_event(30)
    assert event is not None
    assert event.kind == "locked", event
    return event


def test_a_run_reports_each_revision_and_each_statement(tmp_path, database_url, ask):
    events = list(project(tmp_path, "linear").run(database_url, expected=["001", "002", "003"]).events())
    assert [e.data["revision"] for e in kinds(events, "applied")] == ["001", "002", "003"]
    assert (events[0].kind, events[-1].kind) == ("locked", "done")
    added = [e.data for e in kinds(events, "statement") if e.data["of"] == "revision" and e.data["revision"] == "003"]
    assert [(s["sql"], s["sqlstate"]) for s in added] == [("ALTER TABLE items ADD COLUMN discount INTEGER", None)]
    assert ask("SELECT version_num FROM alembic_version") == ["003"]


def test_the_session_that_migrates_is_ours_to_recognise_and_holds_the_lock(tmp_path, database_url, ask):
    run = project(tmp_path, "linear").run(database_url, go=False)
    pid = locked(run).data["backend_pid"]
    assert ask(f"SELECT application_name FROM pg_stat_activity WHERE pid = {pid}") == ["tidegate:test:1"]
    assert ask(f"SELECT state FROM pg_stat_activity WHERE pid = {pid}") == ["idle"]  # no transaction is left open
    assert ask(f"SELECT pg_try_advisory_lock({LOCK_KEY})") == [False]
    run.go()
    assert run.wait().kind == "done"


def test_stopped_before_the_first_statement_nothing_is_applied(tmp_path, database_url, ask):
    run = project(tmp_path, "linear").run(database_url, go=False)
    locked(run)
    run.stop("the schema differs from the plan")
    last = run.wait()
    assert (last.kind, last.data["reason"], last.data["applied"]) == ("stopped", "the schema differs from the plan", [])
    assert tables(ask) == set()


def test_a_lock_in_other_hands_is_refused_with_its_holder(tmp_path, database_url, ask):
    with psycopg.connect(database_url, autocommit=True, application_name="somebody else") as holder:
        holder.execute("SELECT pg_advisory_lock(%s)", [LOCK_KEY])
        events = list(project(tmp_path, "linear").run(database_url, lock_wait_s=0.3).events())
    assert [e.kind for e in events] == ["refused", "stopped"]
    assert "somebody else" in events[1].data["reason"]
    assert tables(ask) == set()


def test_other_revisions_than_planned_are_not_run(tmp_path, database_url, ask):
    last = project(tmp_path, "linear").run(database_url, expected=["001", "002"]).wait()
    assert last.kind == "stopped"
    assert "the plan says" in last.data["reason"]
    assert "items" not in tables(ask)


def test_another_database_than_the_target_is_refused(tmp_path, database_url, ask):
    hook = "def configure(cfg, url): cfg.set_main_option('sqlalchemy.url', url.rpartition('/')[0] + '/postgres')"
    last = project(tmp_path, "linear", hook=hook).run(database_url).wait()
    assert (last.kind, last.data["applied"]) == ("stopped", [])
    assert "env.py connects to the database postgres" in last.data["reason"]


def test_downgrades_run_too(tmp_path, database_url, ask):
    linear = project(tmp_path, "linear")
    linear.run(database_url).wait()
    last = linear.run(database_url, to="-2", direction="downgrade", expected=["003", "002"]).wait()
    assert (last.kind, last.data["applied"]) == ("done", ["003", "002"])
    assert ask("SELECT version_num FROM alembic_version") == ["001"]


def test_concurrent_indexes_wait_without_lock_timeout_and_give_it_back(tmp_path, database_url, ask):
    assert project(tmp_path, "concurrent", "per_revision").run(database_url).wait().kind == "done"
    assert ask("SELECT indisvalid FROM pg_index WHERE indexrelid = 'ix_wide_n'::regclass") == [True]
    assert ask("SELECT lock_timeout FROM timeout_of_c2") == ["3s"]


def test_an_index_waits_for_an_old_reader_longer_than_lock_timeout(tmp_path, database_url, ask):
    concurrent = project(tmp_path, "concurrent", "per_revision")
    concurrent.run(database_url, to="c1").wait()
    with psycopg.connect(database_url) as reader:
        reader.execute("LOCK TABLE wide IN ROW EXCLUSIVE MODE")
        run = concurrent.run(database_url, lock_timeout_ms=100)
        while (event := run.next_event(30)) is not None and event.kind != "started":
            pass
        time.sleep(1)
        assert run.next_event(0) is None
    assert run.wait().kind == "done"


def test_branches_with_dependencies_and_a_merge_end_at_one_head(tmp_path, database_url, ask):
    last = project(tmp_path, "branches").run(database_url).wait()
    assert last.data["applied"] == ["a1", "b1", "b2", "c1"]
    assert ask("SELECT version_num FROM alembic_version") == ["c1"]


def test_an_env_py_with_its_own_engine_gets_the_password_and_the_timeouts(tmp_path, database_url, ask):
    run = project(tmp_path, "linear", "own_engine", url={"env": ["SHOP_URL"]}).run(database_url, go=False)
    pid = locked(run).data["backend_pid"]
    assert ask(f"SELECT application_name FROM pg_stat_activity WHERE pid = {pid}") == ["tidegate:test:1"]
    run.go()
    assert run.wait().kind == "done"
    assert ask("SELECT version_num FROM shop_version") == ["003"]
    assert "hello from env.py" in run.output()


def test_an_async_env_py_runs(tmp_path, database_url, ask):
    assert project(tmp_path, "linear", "async_env").run(database_url).wait().kind == "done"
    assert "items" in tables(ask)


def test_a_failing_revision_is_named_with_its_line_and_sqlstate_but_not_with_rows(tmp_path, database_url, ask):
    last = project(tmp_path, "broken").run(database_url).wait()
    said = last.data
    assert (last.kind, said["revision"], said["sqlstate"], said["applied"]) == ("failed", "x1", "42P01", [])
    assert said["where"] == "migrations/versions/x1.py:11"
    assert tables(ask) == set()


@pytest.mark.parametrize(("env", "kind"), [("exits", "SystemExit"), ("raises", "RuntimeError"), ("floods", "NotRun")])
def test_an_env_py_that_does_not_get_there_fails_with_a_reason(tmp_path, database_url, env, kind):
    run = project(tmp_path, "linear", env).run(database_url, limits=Limits(output_bytes=100_000))
    last = run.wait()
    assert (last.kind, last.data["type"]) == ("failed", kind)
    assert "hunter22" not in json.dumps(last.data) + run.output()
    assert len(run.output()) < 101_000


def test_a_cancelled_run_ends_its_statement_and_leaves_nothing(tmp_path, database_url, ask):
    run = project(tmp_path, "slow").run(database_url)
    while (event := run.next_event(30)) is not None and event.data.get("sql") != "CREATE TABLE before_sleep ()":
        pass
    time.sleep(0.3)
    run.cancel("enough")
    began, last = time.monotonic(), run.wait()
    assert (last.kind, last.data["reason"], last.data["error"]["sqlstate"]) == ("stopped", "enough", "57014")
    assert time.monotonic() - began < 4
    assert tables(ask) == set()


def test_a_run_has_a_wall_clock(tmp_path, database_url, ask):
    last = project(tmp_path, "slow").run(database_url, wall_s=3).wait()
    assert last.kind == "stopped"
    assert "longer than the 3 s" in last.data["reason"]


def test_a_killed_child_is_said_to_have_died_and_its_work_is_gone(tmp_path, database_url, ask):
    run = project(tmp_path, "slow").run(database_url)
    pid = locked(run).data["backend_pid"]
    run.process.kill_hard()
    last = run.wait()
    assert (last.kind, "signal 9" in last.data["reason"]) == ("died", True)
    wait_until(lambda: ask(f"SELECT pid FROM pg_stat_activity WHERE pid = {pid}") == [])
    assert tables(ask) == set()


def wait_until(true, timeout_s=5.0):
    until = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < until
        time.sleep(0.05)


def environ_of(pid):
    return Path(f"/proc/{pid}/environ").read_bytes() + Path(f"/proc/{pid}/cmdline").read_bytes()


def family(pid):
    """The process and all its descendants."""
    listed = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout.split()
    pairs = list(zip(map(int, listed[::2]), map(int, listed[1::2]), strict=True))
    found = [pid]
    for parent in found:
        found += [p for p, pp in pairs if pp == parent]
    return found


def test_the_password_is_in_no_command_line_and_no_environment(tmp_path, database_url):
    url = database_url.replace("postgresql://", "postgresql://", 1)
    run = project(tmp_path, "linear").run(url, go=False)
    locked(run)
    password = psycopg.conninfo.conninfo_to_dict(url)["password"].encode()
    assert all(password not in environ_of(pid) for pid in family(run.pid))
    private = [
        Path(line.split("=", 1)[1])
        for line in environ_of(family(run.pid)[-1]).decode().split("\0")
        if line.startswith("PGSERVICEFILE=")
    ]
    assert private[0].stat().st_mode & 0o077 == 0
    run.kill()
    assert not private[0].parent.exists()


@pytest.mark.parametrize("namespace", [True, False])
def test_nothing_outlives_a_killed_run(tmp_path, database_url, monkeypatch, namespace):
    if not namespace:
        monkeypatch.setattr(process, "prefix", lambda: ())
    run = project(tmp_path, "linear", "lingers").run(database_url)
    wait_until(lambda: any(b"sleep" in environ_of(pid) for pid in family(run.pid)))
    everything = family(run.pid)
    run.kill()
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in everything))


def test_the_folder_of_a_killed_worker_is_removed_by_the_next_run(tmp_path, database_url, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for name, is_held in (("abandoned", False), ("held", True)):
        place = tmp_path / f"tidegate-run-{name}"
        place.mkdir()
        lock = (place / "owner.lock").open("w")
        fcntl.flock(lock, fcntl.LOCK_EX) if is_held else lock.close()
        os.utime(place, (0, 0))
    project(tmp_path, "linear").run(database_url).kill()
    assert [p.name for p in tmp_path.glob("tidegate-run-*")] == ["tidegate-run-held"]
    fcntl.flock(lock, fcntl.LOCK_UN)
    lock.close()


WORKER = """
import sys, time
from pathlib import Path
from tests.engines.histories import Project, launch
run = Project(launch(), Path(sys.argv[1])).run(sys.argv[2])
while run.next_event(30).kind != "started":
    pass
print(run.pid, flush=True)
time.sleep(600)
"""


def test_when_the_worker_is_killed_its_run_dies_with_it(tmp_path, database_url, ask):
    slow = project(tmp_path, "slow")
    command = [sys.executable, "-c", WORKER, str(slow.bundle), database_url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]) as worker:
        everything = family(int(worker.stdout.readline()))
        os.kill(worker.pid, signal.SIGKILL)
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in everything))
    wait_until(lambda: ask("SELECT pid FROM pg_stat_activity WHERE application_name = 'tidegate:test:1'") == [])
    assert tables(ask) == set()
