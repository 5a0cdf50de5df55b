"""The shop's databases on the demo's target server: made, migrated part of the way by plain Alembic, and filled."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psycopg
from psycopg import sql

from migrations_app.errors import Unprocessable

SHOP = Path(__file__).resolve().parent / "shop"
ROLE = "shop_owner"
SEEDED = "shop_seeded"
REPLICA_PATIENCE_S = 60.0
# An ordinary role: owner of its database, and allowed to see the replicas' lag. No superuser.
SLOW_FEED = """
CREATE FUNCTION feed_search_index() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_sleep(0.0005);
    RETURN NEW;
END $$;
COMMENT ON FUNCTION feed_search_index() IS 'As production has them: one slow trigger, so that there is time to watch';
CREATE TRIGGER feed_search_index AFTER UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION feed_search_index();
"""


class ShopServer:
    """The target primary and its replica, seen by their superuser; hands out URLs of the shop's own role."""

    def __init__(self, primary_url: str, replica_url: str, password: str) -> None:
        self.primary_url, self.replica_url, self.password = primary_url, replica_url, password

    def make(self, database: str, *, revision: str, is_slow: bool = False) -> None:
        """The database at this revision, with its 200,000 orders. One that exists is left as it is."""
        with psycopg.connect(self.primary_url, autocommit=True) as conn:
            conn.execute("SELECT pg_advisory_lock(hashtext('the shop'))")  # two who seed at once would collide
            self._ensure_role(conn)
            if _exists(conn, database):
                return
            if not _exists(conn, SEEDED):
                self._seed(conn)
            _create(conn, database, template=SEEDED)
        if is_slow:
            with psycopg.connect(self.url(database), autocommit=True) as conn:
                conn.execute(SLOW_FEED)
        if revision != "0006":
            self.upgrade(database, revision)
        self._wait_for_replica()

    def _wait_for_replica(self) -> None:
        """Until the replica has the database too: a look at it before would find nothing there."""
        with psycopg.connect(self.primary_url, autocommit=True) as conn:
            row = conn.execute("SELECT pg_current_wal_flush_lsn()::text").fetchone()
        assert row is not None
        until = time.monotonic() + REPLICA_PATIENCE_S
        with psycopg.connect(self.replica_url, autocommit=True) as conn:
            while conn.execute("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", row).fetchone() != (True,):
                if time.monotonic() > until:
                    raise Unprocessable(f"The replica did not catch up within {REPLICA_PATIENCE_S:.0f} s.")
                time.sleep(0.05)

    def _seed(self, conn: psycopg.Connection) -> None:
        """Filled once and copied from then on; renamed last, so that a half-filled one is never copied."""
        unfinished = f"{SEEDED}_unfinished"
        conn.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(unfinished)))
        _create(conn, unfinished, template="template1")
        self.upgrade(unfinished, "0006")
        with psycopg.connect(self.url(unfinished), autocommit=True) as filling:
            filling.execute((SHOP / "seed.sql").read_bytes())
        names = sql.Identifier(unfinished), sql.Identifier(SEEDED)
        conn.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(*names))

    def url(self, database: str, *, on_replica: bool = False) -> str:
        """The URL of the shop's own role."""
        info = psycopg.conninfo.conninfo_to_dict(self.replica_url if on_replica else self.primary_url)
        return f"postgresql://{ROLE}:{self.password}@{info['host']}:{info['port']}/{database}"

    def pause_replay(self) -> None:
        """The replica stands still: it receives, but applies nothing."""
        self._on_replica("SELECT pg_wal_replay_pause()")

    def resume_replay(self) -> None:
        self._on_replica("SELECT pg_wal_replay_resume()")

    def _on_replica(self, statement: str) -> None:
        with psycopg.connect(self.replica_url, autocommit=True) as conn:
            conn.execute(statement.encode())

    def _ensure_role(self, conn: psycopg.Connection) -> None:
        if not conn.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [ROLE]).fetchone():
            conn.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(ROLE)))
        conn.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(ROLE), sql.Literal(self.password)))
        conn.execute(sql.SQL("GRANT pg_monitor TO {}").format(sql.Identifier(ROLE)))

    def upgrade(self, database: str, revision: str) -> None:
        """Plain Alembic, as a team without Tidegate runs it."""
        done = subprocess.run(
            [sys.executable, "-m", "alembic", "upgrade", revision],
            cwd=SHOP,
            env={**os.environ, "SHOP_DATABASE_URL": self.url(database)},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise Unprocessable(f"plain Alembic could not bring {database} to {revision}:\n{done.stderr[-2000:]}")


def _exists(conn: psycopg.Connection, database: str) -> bool:
    return conn.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone() is not None


def _create(conn: psycopg.Connection, database: str, *, template: str) -> None:
    names = sql.Identifier(database), sql.Identifier(ROLE), sql.Identifier(template)
    conn.execute(sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {}").format(*names))
