"""The demo shop is an ordinary Alembic project: plain Alembic runs all of it, with data in it, there and back."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

SHOP = Path(__file__).parents[2] / "demo" / "shop"
REVISIONS = 13
# The demo wants 200,000 orders; the tests have better things to do.
SEED = (SHOP / "seed.sql").read_text(encoding="utf-8").replace("200000", "2000").encode()


def alembic(*args: str, url: str = "") -> str:
    command = [str(Path(sys.executable).with_name("alembic")), *args]
    env = {"PATH": os.environ["PATH"], "SHOP_DATABASE_URL": url}
    done = subprocess.run(command, cwd=SHOP, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_revision_is_rendered_without_a_database() -> None:
    assert alembic("upgrade", "head", "--sql").count("-- Running upgrade") == REVISIONS
    assert alembic("downgrade", "head:base", "--sql").count("-- Running downgrade") == REVISIONS


@pytest.mark.targets
def test_the_history_runs_over_data_there_and_back(database_url: str) -> None:
    alembic("upgrade", "0006", url=database_url)
    with psycopg.connect(database_url) as connection:
        connection.execute(SEED)
        total = connection.execute("SELECT count(*), sum(total) * 100 FROM orders").fetchone()
    alembic("upgrade", "head", url=database_url)
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT count(*), sum(total_cents) FROM orders").fetchone() == total
    alembic("downgrade", "base", url=database_url)
    with psycopg.connect(database_url) as connection:
        left = connection.execute("SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace")
        assert left.fetchone() == (2,)  # the version table and its index


@pytest.mark.targets
def test_seeding_twice_changes_nothing(database_url: str) -> None:
    alembic("upgrade", "0008", url=database_url)
    counts = []
    for _ in range(2):
        with psycopg.connect(database_url) as connection:
            connection.execute(SEED)
            tables = ("customers", "products", "orders", "order_lines", "reviews")
            counts.append([connection.execute(f"SELECT count(*) FROM {name}").fetchone() for name in tables])
    assert counts[0] == counts[1] == [(2000,), (500,), (2000,), (4001,), (5000,)]
