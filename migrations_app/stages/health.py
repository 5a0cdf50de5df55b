"""Whether this process can serve: what is not ready, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypedDict

import kombu.exceptions
from celery import current_app
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from migrations_app.engines import sealing
from migrations_app.errors import TidegateError

BROKER_PATIENCE_S = 2


class Check(TypedDict):
    """`reason` is empty when all is well. It is public: neither a host nor a secret may be in it."""

    name: str
    ok: bool
    reason: str


def readiness() -> list[Check]:
    """One check each: the control database, its schema, the keys, the broker. Raises nothing."""
    checks: dict[str, Callable[[], str]] = {
        "database": _database,
        "schema": _schema,
        "keys": _keys,
        "broker": _broker,
    }
    found = {name: check() for name, check in checks.items()}
    return [Check(name=name, ok=not reason, reason=reason) for name, reason in found.items()]


def _database() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return "The control database does not answer: check TIDEGATE_DATABASE_URL and that it runs."
    return ""


def _schema() -> str:
    try:
        executor = MigrationExecutor(connection)
        missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError:
        return "Unknown, for the control database does not answer."
    return f"{len(missing)} of Tidegate's own migrations are not applied: run `manage.py migrate`." if missing else ""


def _keys() -> str:
    try:
        sealing.Keys.parse(settings.TIDEGATE_KEYS)
    except TidegateError as error:
        return error.detail
    return ""


def _broker() -> str:
    try:
        with current_app.connection_for_write(connect_timeout=BROKER_PATIENCE_S) as broker:
            broker.ensure_connection(max_retries=1, timeout=BROKER_PATIENCE_S)
    except (kombu.exceptions.OperationalError, OSError):
        return "The broker does not answer: what is started waits in the database until it does."
    return ""
