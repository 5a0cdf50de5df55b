"""Backfills: declared on a target, and steered by people. stages/slices.py does the work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from migrations_app import lifecycle
from migrations_app.engines import digest, policy
from migrations_app.engines.backfill import declared, definition, sample
from migrations_app.engines.postgres.connect import connect
from migrations_app.engines.postgres.facts import facts_for
from migrations_app.engines.risk import verdict
from migrations_app.errors import Conflict
from migrations_app.models import Actor, Backfill, Target, User, digest_inputs
from migrations_app.models.secrets import address_of

ADJUSTABLE = ("max_lag_s", "chunk_ms", "workers")


def declare(
    *,
    actor: Actor,
    author: User,
    target: Target,
    table: str,
    set: Mapping[str, str],  # noqa: A002 - the contract's own name of the field
    where: str = "",
    key: Sequence[str] | None = None,
    workers: int = 1,
    chunk_ms: int = 100,
    max_lag_s: float | None = None,
    purpose: str,
) -> Backfill:
    """Checks the definition on the target itself and keeps it, approved when it overwrites nothing.

    Raises Invalid with a pointer for each wrong field; then nothing is kept.
    """
    row = Backfill(target=target, author=author, purpose=purpose, table=table, set=dict(set), where=where)
    lifecycle.require(actor, "propose", row)
    row.key = list(key) if key else None
    lag_limit_s = target.limits.get("max_lag_s") or target.environment.policy["max_lag_s"]
    row.chunk_ms, row.workers, row.max_lag_s = chunk_ms, workers, max_lag_s or float(lag_limit_s)
    row.limits()
    with connect(address_of(target), application_name=f"tidegate:{row.pk}:declare") as conn:
        checked = definition.check(conn, row.definition())
        _judge(row, conn, checked)
    with transaction.atomic():
        row.save(force_insert=True)
        lifecycle.record(actor, "backfill.declared", row, {"table": row.table, "set": row.set, "where": row.where})
        to = "awaiting_approval" if row.approvals_required else "approved"
        lifecycle.advance(row, to, actor=actor, reason=row.approvals_reason)
    return row


def start(*, actor: Actor, backfill: Backfill) -> Backfill:
    """Lets an approved backfill run."""
    lifecycle.require(actor, "operate", backfill)
    if backfill.expires_at and backfill.expires_at < timezone.now():
        why = f"its approval ran out at {backfill.expires_at:%Y-%m-%d %H:%M} UTC: declare it again"
        _move(backfill, {"approved"}, "stale", actor, why, finished_at=Now())
        raise Conflict(f"It cannot start: {why}", code="expired")
    return _move(backfill, {"approved"}, "running", actor, f"started by {actor.name}", started_at=Now())


def pause(*, actor: Actor, backfill: Backfill) -> Backfill:
    """Stops after the chunk in progress; resume goes on from there."""
    lifecycle.require(actor, "operate", backfill)
    return _move(
        backfill, {"running"}, "pausing", actor, f"pause asked by {actor.name}; the chunk in progress ends first"
    )


def resume(*, actor: Actor, backfill: Backfill) -> Backfill:
    """Goes on from the checkpoint, after a pause or a failure."""
    lifecycle.require(actor, "operate", backfill)
    changes = {"attempts": 0, "not_before": None, "finished_at": None}
    return _move(backfill, {"paused", "failed"}, "running", actor, f"resumed by {actor.name}", **changes)


def cancel(*, actor: Actor, backfill: Backfill) -> Backfill:
    """Ends it. Chunks that were committed stay as they are."""
    lifecycle.require(actor, "cancel", backfill, is_author=backfill.author_id == actor.user_id)
    row = Backfill.objects.get(pk=backfill.pk)
    if row.status in {"running", "pausing"}:
        reason = f"cancel asked by {actor.name}; the chunk in progress ends first"
        return _move(row, {"running", "pausing"}, "cancelling", actor, reason)
    idle = {"awaiting_approval", "approved", "paused", "failed", "verifying"}
    return _move(row, idle, "cancelled", actor, f"cancelled by {actor.name}; what is done stays", finished_at=Now())


def adjust(*, actor: Actor, backfill: Backfill, **changes: Any) -> Backfill:
    """Changes max_lag_s, chunk_ms or workers, also while it runs: the next chunk obeys."""
    lifecycle.require(actor, "operate", backfill)
    with transaction.atomic():
        row: Backfill = Backfill.objects.select_for_update().get(pk=backfill.pk)
        if row.is_final:
            raise Conflict(f"It is {row.status}; its limits have no effect any more.", code="illegal_transition")
        for name in ADJUSTABLE:
            if changes.get(name) is not None:
                setattr(row, name, changes[name])
        row.limits()
        lifecycle.touch(row, **{name: getattr(row, name) for name in ADJUSTABLE})
        lifecycle.record(actor, "backfill.adjusted", row, {name: getattr(row, name) for name in ADJUSTABLE})
    return row


def preview(*, actor: Actor, backfill: Backfill) -> sample.Sample:
    """Some real rows before and after, out of a transaction that is rolled back."""
    lifecycle.require(actor, "probe", backfill)
    with connect(address_of(backfill.target), application_name=f"tidegate:{backfill.pk}:preview") as conn:
        return sample.sample(conn, definition.check(conn, backfill.definition()))


def _judge(row: Backfill, conn: psycopg.Connection, checked: definition.Checked) -> None:
    """What the change would overwrite decides whether a person is asked."""
    statement = declared.as_update(conn, checked)
    facts = facts_for(conn, [statement])
    analysis = verdict.analyse(statement, facts=facts, chunked=True).to_json()
    quorum = policy.quorum(dangerous=analysis["dangerous"], hazards=analysis["hazards"], policies=row.policies())
    row.analysis, row.guarantee, row.rows_estimated = analysis, checked.guarantee, checked.rows_estimated
    row.approvals_required, row.approvals_reason = quorum.required, quorum.reason
    row.digest_inputs = digest.plain(digest_inputs.of_backfill(row, declared.identity(checked)))
    row.digest = digest.of(row.digest_inputs)


def _move(backfill: Backfill, allowed: set[str], to: str, actor: Actor, reason: str, **changes: Any) -> Backfill:
    with transaction.atomic():
        row: Backfill = Backfill.objects.select_for_update().get(pk=backfill.pk)
        if row.status not in allowed:
            what = f"It is {row.status.replace('_', ' ')}; that is possible only when {' or '.join(sorted(allowed))}."
            raise Conflict(what, code="illegal_transition")
        lifecycle.advance(row, to, actor=actor, reason=reason, **changes)
        lifecycle.hint("run_backfill", row.pk)
    return row
