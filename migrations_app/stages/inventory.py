"""Environments, targets and their replicas: registered, looked at, and kept up to date."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from django.db import IntegrityError, connection, transaction
from django.db.models import F
from django.db.models.functions import Now

from migrations_app import lifecycle
from migrations_app.engines import history, settings_check
from migrations_app.engines.postgres import catalog, replication
from migrations_app.engines.postgres.connect import connect
from migrations_app.errors import Conflict, Invalid, TidegateError
from migrations_app.models import Actor, Environment, Project, Replica, Target
from migrations_app.models.secrets import address_of, expected_replicas, put_url
from migrations_app.models.status import ROLLOUT_FINAL, SchemaState

log = logging.getLogger(__name__)
OPEN_BACKFILLS = (
    "declared",
    "awaiting_approval",
    "approved",
    "running",
    "pausing",
    "paused",
    "cancelling",
    "verifying",
)


@dataclass(frozen=True)
class Probe:
    """What a look at a target showed. `reason` says why it is not reachable, or where its schema stands."""

    reachable: bool
    server_version: int | None
    current: tuple[str, ...]
    schema_state: str
    replicas: tuple[replication.ReplicaState, ...]
    reason: str


def create_environment(
    *, actor: Actor, name: str, order: int = 100, policy: Mapping[str, Any] | None = None
) -> Environment:
    """Registers an environment; what the policy leaves out takes the default."""
    row = Environment(name=name, order=order)
    lifecycle.require(actor, "configure", row)
    row.policy = settings_check.policy(policy or {}, over=row.policy)
    with transaction.atomic():
        _insert(row, "/name", f"There is an environment {name} already.")
        lifecycle.record(actor, "environment.created", row, {"name": name, "policy": row.policy})
    return row


def update_environment(
    *, actor: Actor, environment: Environment, order: int | None = None, policy: Mapping[str, Any] | None = None
) -> Environment:
    """Changes the order or parts of the policy; plans made under the old policy go stale by its version."""
    lifecycle.require(actor, "configure", environment)
    with transaction.atomic():
        row = Environment.objects.select_for_update().get(pk=environment.pk)
        row.order = row.order if order is None else order
        if policy is not None:
            row.policy = settings_check.policy(policy, over=row.policy)
            row.policy_version += 1
        row.save(update_fields=["order", "policy", "policy_version"])
        lifecycle.record(actor, "environment.changed", row, {"order": row.order, "policy": row.policy})
    return row


def create_target(
    *,
    actor: Actor,
    slug: str,
    project: Project,
    environment: Environment,
    url: str,
    labels: Mapping[str, str] | None = None,
    replicas: Sequence[Mapping[str, str]] = (),
    limits: Mapping[str, Any] | None = None,
) -> Target:
    """Registers a target after it was reached and recognised. Nothing is kept when any part is refused."""
    row = Target(slug=slug, project=project, environment=environment, labels=dict(labels or {}))
    lifecycle.require(actor, "configure", row)
    row.limits = settings_check.limits(limits or {})
    address = put_url(row, url)
    with connect(address, application_name="tidegate:register", read_write=True) as conn:
        found = catalog.identity(conn)
    _refuse_control_database(found)
    row.system_identifier, row.database_oid = found.system_identifier, found.database_oid
    row.server_version = found.server_version
    with transaction.atomic():
        _insert(
            row, "/slug", f"There is a target {slug} already, or this very database is registered under another name."
        )
        _put_replicas(row, replicas)
        lifecycle.record(actor, "target.created", row, {"address": row.address, "environment": environment.name})
    _look(row)
    return row


def update_target(*, actor: Actor, target: Target, **changes: Any) -> Target:
    """Changes environment, url, labels, limits or replicas; a new URL must reach the same database."""
    lifecycle.require(actor, "configure", target)
    with transaction.atomic():
        row = Target.objects.select_for_update().get(pk=target.pk)
        if "url" in changes:
            _same_database(row, changes["url"])
        if "limits" in changes:
            row.limits = settings_check.limits(changes["limits"])
        for name in ("environment", "labels"):
            if name in changes:
                setattr(row, name, changes[name])
        if "replicas" in changes:
            _put_replicas(row, changes["replicas"])
        row.version += 1
        row.save()
        lifecycle.record(actor, "target.changed", row, {"fields": sorted(changes), "address": row.address})
    _look(row)
    return row


def remove_target(*, actor: Actor, target: Target) -> None:
    """Forgets a target that no rollout or backfill is busy with. Its database is not touched."""
    lifecycle.require(actor, "configure", target)
    with transaction.atomic():
        busy = target.plans.exclude(rollout__status__in=ROLLOUT_FINAL).exists()
        if busy or target.backfills.filter(status__in=OPEN_BACKFILLS).exists():
            raise Conflict(f"{target} has a rollout or backfill that has not ended. Cancel it first.")
        if target.plans.exists() or target.backfills.exists():
            raise Conflict(f"{target} has a history of rollouts or backfills, which must stay readable.")
        if target.rehearsals.filter(plans__isnull=False).exists():
            raise Conflict(f"Plans for other targets were judged by rehearsals of {target}, which must stay readable.")
        lifecycle.record(actor, "target.removed", target, {"address": target.address})
        target.delete()


def probe(*, actor: Actor, target: Target) -> Probe:
    """Looks at the target and every expected replica now, and keeps what was seen."""
    lifecycle.require(actor, "probe", target)
    return _look(target)


def refresh_all() -> int:
    """Looks at every target again; for the scheduler. Returns how many answered."""
    return sum(_look(target).reachable for target in Target.objects.select_related("project__bundle"))


def _look(target: Target) -> Probe:
    seen = _read(target)
    heads = list(target.project.bundle.heads) if target.project.bundle else []
    Target.objects.filter(pk=target.pk).update(
        schema_state=seen.schema_state,
        schema_reason=seen.reason,
        current=list(seen.current),
        heads=heads,
        probed_at=Now(),
        version=F("version") + 1,
        **({"server_version": seen.server_version} if seen.server_version else {}),
    )
    for state in seen.replicas:
        Replica.objects.filter(target=target, name=state.name).update(
            state=state.state, reason=state.reason, lag_bytes=state.lag_bytes, lag_s=state.lag_s, observed_at=Now()
        )
    target.refresh_from_db()
    return seen


def _read(target: Target) -> Probe:
    expected = expected_replicas(target)
    try:
        with connect(address_of(target), application_name="tidegate:probe") as conn:
            found = catalog.identity(conn)
            states = replication.observe(conn, expected, expected_system_identifier=target.system_identifier)
            standing, current = _standing(target, conn)
    except (TidegateError, psycopg.Error) as error:
        reason = error.detail if isinstance(error, TidegateError) else "the connection broke while it was looked at"
        unknown = tuple(
            replication.ReplicaState(name=item.name, state="unknown", lag_bytes=None, lag_s=None, reason=reason)
            for item in expected
        )
        return Probe(False, None, tuple(target.current), SchemaState.UNREACHABLE, unknown, reason)
    if (found.system_identifier, found.database_oid) != (target.system_identifier, target.database_oid):
        reason = "another database answers at this address than the one that was registered; nothing will be run on it"
        return Probe(False, found.server_version, current, SchemaState.UNREACHABLE, states, reason)
    Target.objects.filter(pk=target.pk).update(pending=standing.pending)
    return Probe(True, found.server_version, current, standing.state, states, standing.reason)


def _standing(target: Target, conn: psycopg.Connection) -> tuple[history.Standing, tuple[str, ...]]:
    launch = target.project.launch
    heads = catalog.read_heads(
        conn, version_table=launch.get("version_table") or "alembic_version", schema=launch.get("version_table_schema")
    )
    bundle = target.project.bundle
    parents = bundle.parents() if bundle else {}
    return history.standing(parents, heads, has_tables=catalog.has_tables(conn)), heads or ()


def _refuse_control_database(found: catalog.Identity) -> None:
    """A target in Tidegate's own database could change the rows that decide what may run."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT system_identifier::text, (SELECT oid FROM pg_database WHERE datname = current_database())"
            " FROM pg_control_system()"
        )
        own = cursor.fetchone()
    if own == (found.system_identifier, found.database_oid):
        raise Invalid.field("/url", "This is Tidegate's own database. It can never be a target; name another one.")


def _same_database(row: Target, url: str) -> None:
    address = put_url(row, url)
    with connect(address, application_name="tidegate:register", read_write=True) as conn:
        found = catalog.identity(conn)
    if (found.system_identifier, found.database_oid) != (row.system_identifier, row.database_oid):
        raise Invalid.field("/url", "This URL leads to another database. Register that one as a target of its own.")


def _put_replicas(target: Target, replicas: Sequence[Mapping[str, str]]) -> None:
    names = [item["name"] for item in replicas]
    if len(set(names)) != len(names):
        raise Invalid.field("/replicas", "Each replica needs a name of its own.")
    target.replicas.exclude(name__in=names).delete()
    for index, item in enumerate(replicas):
        row = target.replicas.filter(name=item["name"]).first() or Replica(target=target, name=item["name"])
        if item.get("url"):
            _put_replica_url(row, item["url"], index)
        row.save()


def _put_replica_url(row: Replica, url: str, index: int) -> None:
    try:
        put_url(row, url)
    except Invalid as error:
        raise Invalid.field(f"/replicas/{index}/url", error.detail) from None


def _insert(row: Environment | Target, pointer: str, taken: str) -> None:
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:
        raise Invalid.field(pointer, taken) from None
