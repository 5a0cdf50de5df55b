"""Workers are killed, messages are lost and doubled: the target still holds each change exactly once."""

import os
import signal
import time

import psycopg
import pytest
import redis

from demo.rest import Api
from tests.flow import MARKS

pytestmark = MARKS

PATIENCE_S = 60


@pytest.fixture
def target(make_target):
    """At 0007, and each update takes half a millisecond."""
    return make_target("0007", is_slow=True)


def declare(alice, slug, **fields):
    body = {
        "target": slug,
        "table": "orders",
        "set": {"total_cents": "coalesce(total_cents, 0) + 1"},
        "where": "id <= 5000",
        "reason": "each row exactly once",
        **fields,
    }
    return alice.post("backfills/", **body)


def approved(alice, bob, row):
    if row["status"] == "awaiting_approval":
        row = bob.post(f"backfills/{row['id']}/approve/", digest=row["digest"], comment="")
    return row


def wait_for(look, what):
    until = time.monotonic() + PATIENCE_S
    while not (found := look()):
        assert time.monotonic() < until, f"{what} did not happen within {PATIENCE_S} s"
        time.sleep(0.1)
    return found


def kill_all_work(tidegate):
    """The worker for revisions and backfills, with its children, as an out-of-memory killer would."""
    os.killpg(tidegate.processes["work"].pid, signal.SIGKILL)
    tidegate.processes["work"].wait()


def test_a_backfill_whose_workers_are_killed_again_and_again_does_each_row_once(tidegate, tokens, alice, target):
    slug, url = target
    row = approved(alice, Api(tidegate.url, tokens.bob), declare(alice, slug))
    path = f"backfills/{row['id']}/"
    alice.post(f"{path}start/")
    for _ in range(3):
        before = alice.get(path)["rows_done"]
        wait_for(lambda before=before: alice.get(path)["rows_done"] > before or alice.get(path)["final"], "progress")
        kill_all_work(tidegate)
        tidegate.spawn("work")
    done = alice.wait(path, {"verified", "failed", "paused"}, timeout_s=120)
    assert done["status"] == "verified", done["reason"]
    with psycopg.connect(url) as conn:
        counts = conn.execute("SELECT total_cents, count(*) FROM orders WHERE id <= 5000 GROUP BY 1").fetchall()
    assert counts == [(1, 5000)]


def test_a_broker_that_forgets_everything_loses_no_work(tidegate, tokens, alice, target):

    slug, _ = target
    row = approved(alice, Api(tidegate.url, tokens.bob), declare(alice, slug))
    path = f"backfills/{row['id']}/"
    broker = redis.Redis.from_url(tidegate.environment["TIDEGATE_BROKER_URL"])
    alice.post(f"{path}start/")
    for _ in range(5):
        broker.flushdb()
        time.sleep(0.3)
    broker.close()
    assert alice.wait(path, {"verified", "failed"}, timeout_s=120)["status"] == "verified"


def test_doubled_messages_change_nothing(tidegate, tokens, alice, target):
    slug, url = target
    row = approved(alice, Api(tidegate.url, tokens.bob), declare(alice, slug))
    path = f"backfills/{row['id']}/"
    alice.post(f"{path}start/")
    tidegate.python("-c", SEND_TWENTY.format(row["id"]))
    assert alice.wait(path, {"verified", "failed"}, timeout_s=120)["status"] == "verified"
    with psycopg.connect(url) as conn:
        counts = conn.execute("SELECT total_cents, count(*) FROM orders WHERE id <= 5000 GROUP BY 1").fetchall()
    assert counts == [(1, 5000)]


SEND_TWENTY = """
from controlplane.celery import app
for _ in range(20):
    app.send_task("tidegate.run_backfill", args=["{}"])
"""


def revision_statuses(rollout):
    return {step["status"] for step in rollout["steps"] if step["kind"] == "revision"}


def test_a_revision_whose_worker_is_killed_is_finished_by_the_next_one(tidegate, tokens, alice, target):
    slug, url = target
    with psycopg.connect(url) as reader:
        reader.execute("SELECT count(*) FROM customers")  # revision 0012 has to wait for this reader
        rollout = alice.post("rollouts/", project="shop", targets=[slug], to="0008", reason="killed on the way")
        path = f"rollouts/{rollout['id']}/"
        alice.post(f"{path}start/")
        wait_for(lambda: any(s["status"] != "approved" for s in alice.get(path)["steps"]), "the first step")
        kill_all_work(tidegate)
    tidegate.spawn("work")
    # All of them: what the first worker had committed is verified while the next one still runs the rest.
    wait_for(lambda: revision_statuses(alice.get(path)) == {"verified"}, "the revisions")
    with psycopg.connect(url) as conn:
        assert conn.execute("SELECT version_num FROM alembic_version").fetchall() == [("0008",)]
        orphans = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'tidegate:plan_%'"
        assert conn.execute(orphans).fetchone() == (0,)
    alice.post(f"{path}cancel/")
