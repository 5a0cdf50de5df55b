"""The checkpoint row is the fence: only the newest epoch moves it, and only from where it stands."""

import threading
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from migrations_app.engines.backfill import checkpoint
from migrations_app.engines.backfill.checkpoint import Fenced


@pytest.fixture
def conn(database_url, admin_conn):
    return admin_conn(database_url)


@pytest.fixture
def ready(conn):
    checkpoint.ensure(conn)
    return conn


def test_many_first_backfills_create_the_schema_together(database_url):
    together = threading.Barrier(6)

    def create(_: int) -> None:
        with psycopg.connect(database_url, autocommit=True) as own:
            together.wait()
            checkpoint.ensure(own)

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(create, range(6))) == [None] * 6


def test_creation_survives_somebody_who_creates_without_our_lock(conn, admin_conn, database_url):
    other = admin_conn(database_url, autocommit=False)
    other.execute("CREATE SCHEMA tidegate; CREATE TABLE tidegate.heartbeat (id int PRIMARY KEY, at timestamptz)")
    with ThreadPoolExecutor(1) as pool:
        creating = pool.submit(checkpoint.ensure, conn)
        while other.execute("SELECT count(*) FROM pg_locks WHERE NOT granted").fetchone() == (0,):
            pass
        other.commit()
        creating.result()
    assert checkpoint.read(conn, "b1") is None


def test_a_new_backfill_starts_before_the_first_row(ready):
    at = checkpoint.claim(ready, "b1", 3)
    assert (at.epoch, at.cursor, at.upper, at.rows_done, at.done) == (3, None, None, 0, False)


def test_the_epoch_only_rises(ready):
    checkpoint.claim(ready, "b1", 5)
    assert checkpoint.claim(ready, "b1", 5).epoch == 5
    assert checkpoint.claim(ready, "b1", 9).epoch == 9
    with pytest.raises(Fenced, match=r"epoch 9 in the target, this worker came with 8.*older than the target"):
        checkpoint.claim(ready, "b1", 8)


def test_a_claim_finds_the_cursor_where_it_was_left(ready):
    at = checkpoint.claim(ready, "b1", 1)
    to = at.after(("7", 'a"\\%s'), changed=3, scanned=5, done=False)
    checkpoint.advance(ready, at, to)
    again = checkpoint.claim(ready, "b1", 2)
    assert (again.cursor, again.rows_done, again.rows_scanned) == (("7", 'a"\\%s'), 3, 5)


def test_an_older_epoch_moves_nothing(ready):
    old = checkpoint.claim(ready, "b1", 1)
    checkpoint.claim(ready, "b1", 2)
    for move in (lambda: checkpoint.hold(ready, old), lambda: checkpoint.advance(ready, old, old)):
        with pytest.raises(Fenced):
            move()


def test_two_workers_of_one_epoch_advance_once(ready):
    at = checkpoint.claim(ready, "b1", 1)
    checkpoint.advance(ready, at, at.after(("5",), changed=5, scanned=5, done=False))
    with pytest.raises(Fenced, match="changed nothing more"):
        checkpoint.advance(ready, at, at.after(("5",), changed=5, scanned=5, done=False))
    assert checkpoint.read(ready, "b1").rows_done == 5


def test_a_commit_under_way_is_waited_for_and_then_seen(ready, admin_conn, database_url):
    zombie = admin_conn(database_url, autocommit=False)
    at = checkpoint.claim(ready, "b1", 1)
    checkpoint.hold(zombie, at)
    with ThreadPoolExecutor(1) as pool:
        successor = pool.submit(checkpoint.claim, ready, "b1", 2)
        checkpoint.advance(zombie, at, at.after(("5",), changed=5, scanned=5, done=False))
        assert not successor.done()
        zombie.commit()
        assert successor.result().cursor == ("5",)


def test_backfills_do_not_see_each_other(ready):
    at = checkpoint.claim(ready, "b1", 1)
    checkpoint.claim(ready, "b2", 9)
    checkpoint.advance(ready, at, at.after(("5",), changed=5, scanned=5, done=True))
    assert checkpoint.read(ready, "b2").cursor is None


def test_another_pass_starts_at_the_front_and_keeps_the_count(ready):
    at = checkpoint.claim(ready, "b1", 1)
    done = at.after(("5",), changed=5, scanned=9, done=True)
    checkpoint.advance(ready, at, done)
    checkpoint.reopen(ready, done)
    again = checkpoint.read(ready, "b1")
    assert (again.cursor, again.upper, again.rows_done, again.rows_scanned, again.done) == (None, None, 5, 0, False)
