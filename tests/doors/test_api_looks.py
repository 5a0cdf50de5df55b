"""Looks at a target: volumes, drift and locks, on a real one."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest
from rest_framework.test import APIClient

from migrations_app.engines.postgres.fingerprint import fingerprint
from migrations_app.models import Environment, Project, Target
from migrations_app.stages import inventory
from tests.doors.conftest import SYSTEM

PATH = "/api/v1/targets/prod-1/"
Connect = Callable[..., psycopg.Connection]


@pytest.fixture
def conn(database_url: str, admin_conn: Connect) -> psycopg.Connection:
    """A session on the target, with a table of 1,000 rows in it."""
    found = admin_conn(database_url)
    found.execute("CREATE TABLE orders AS SELECT generate_series(1, 1000) AS id")
    found.execute("ANALYZE orders")
    return found


@pytest.fixture
def target(shop: Project, production: Environment, database_url: str, conn: psycopg.Connection) -> Target:
    return inventory.create_target(actor=SYSTEM, slug="prod-1", project=shop, environment=production, url=database_url)


def test_volumes_are_those_of_the_server(as_alice: APIClient, target: Target) -> None:
    table = as_alice.get(f"{PATH}volumetrics/").json()["tables"][0]
    assert (table["schema"], table["name"], table["rows"]) == ("public", "orders", 1000)
    assert table["bytes"] > 0
    assert {"index_bytes", "seq_scans", "idx_scans", "growth_rows_per_day"} <= set(table)


def test_before_the_first_run_drift_is_not_known(as_alice: APIClient, target: Target) -> None:
    told = as_alice.get(f"{PATH}drift/").json()
    assert told["drifted"] is None
    assert told["reason"]


def test_a_change_by_somebody_else_is_drift(as_alice: APIClient, target: Target, conn: psycopg.Connection) -> None:
    Target.objects.update(fingerprint=fingerprint(conn).sha256)
    assert as_alice.get(f"{PATH}drift/").json()["drifted"] is False
    conn.execute("ALTER TABLE orders ADD COLUMN surprise text")
    told = as_alice.get(f"{PATH}drift/").json()
    assert told["drifted"] is True
    assert told["expected"] != told["found"]


def test_who_waits_is_shown_with_whom_they_wait_for(
    as_alice: APIClient, target: Target, database_url: str, admin_conn: Connect
) -> None:
    holder, waiter = admin_conn(database_url, autocommit=False), admin_conn(database_url)
    holder.execute("LOCK TABLE orders")
    waiter.pgconn.send_query(b"SELECT count(*) FROM orders")
    waiter.pgconn.flush()
    told: dict[str, list[dict[str, object]]] = {"waiting": []}
    while not told["waiting"]:
        told = as_alice.get(f"{PATH}locks/").json()
    holder.rollback()
    waiting = told["waiting"][0]
    assert (waiting["pid"], waiting["table"], waiting["mode"]) == (waiter.info.backend_pid, "orders", "AccessShareLock")
    assert [item["pid"] for item in waiting["blocked_by"]] == [holder.info.backend_pid]
