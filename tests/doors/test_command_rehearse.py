"""`rehearse TARGET` on the command line, with a worker that works whenever it waits."""

from __future__ import annotations

import sys

import pytest

from migrations_app.management import waiting
from migrations_app.models import Actor
from migrations_app.stages import discover, rehearse
from tests.doors import rows
from tests.doors.command_line import Ran, run
from tests.engines.rehearsals import written

pytestmark = pytest.mark.django_db
LOOK = """
if not sa.inspect(op.get_bind()).has_table("users"):
    op.create_table("users", sa.Column("id", sa.Integer))
"""


@pytest.fixture
def target(tmp_path, database_url) -> None:
    written(tmp_path, {"look": (LOOK, "op.drop_table('users')"), "broken": ("op.execute('SELECT nope')", "pass")})
    source = {"kind": "path", "path": str(tmp_path / "source")}
    discover.create_project(
        actor=Actor.system("test"), slug="house", name="house", source=source, python=[sys.executable]
    )
    rows.environment("production")
    found = run("target", "add", "house-1", "--project=house", "--environment=production", stdin=database_url)
    assert found.code == 0


@pytest.fixture
def worker(monkeypatch) -> None:
    def work(_: float) -> None:
        for rehearsal_id in rehearse.sweep():
            rehearse.work(rehearsal_id=rehearsal_id, owner="test")

    monkeypatch.setattr(waiting, "sleep", work)


def rehearsed(*words: str) -> Ran:
    return run("rehearse", "house-1", *words)


@pytest.mark.usefixtures("target", "worker")
def test_what_was_found_is_shown_and_a_revision_that_fails_is_an_exit_code() -> None:
    part = rehearsed("--to", "look", "--json")
    (revision,) = part.data["revisions"]
    assert (part.code, part.data["status"], revision["reversible"]) == (0, "done", True)
    assert "CREATE TABLE users" in revision["statements"][-1]["sql"]
    whole = rehearsed()
    assert whole.code == 1
    assert "look: down and up again: no difference" in whole.out
    assert "! fails: " in whole.out


@pytest.mark.usefixtures("target")
def test_without_a_worker_the_waiting_ends_and_says_how_to_go_on() -> None:
    found = rehearsed("--wait", "0.1")
    assert (found.code, "manage.py rehearse house-1 --to head --wait 0.1" in found.err) == (7, True)
