"""The only code that sets a status. Each move is one conditional UPDATE and one audit entry, in one transaction."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, NoReturn

import kombu.exceptions
from celery import current_app
from django.db import connection, models, transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone

from migrations_app.engines import chain, policy
from migrations_app.errors import Conflict, Forbidden
from migrations_app.models import Actor, AuditEvent, AuditHead
from migrations_app.models.rows import StatusRow

log = logging.getLogger(__name__)
# What people know by a name is called so in the audit; everything else by its id.
CALLED_BY = {"target": "slug", "project": "slug", "environment": "name", "user": "username"}
HINT_EXPIRES_S = 60  # an older one was sent again long ago; a queue nobody reads must not grow for ever


def advance(row: StatusRow, to: str, *, actor: Actor, reason: str, **changes: Any) -> bool:
    """Moves `row` from the status it was read with to `to`; `changes` are written in the same UPDATE.

    False: somebody else moved it first, and nothing was written. Raises Conflict (illegal_transition) when the
    tables in models/status.py do not list the move.
    """
    was = row.status
    if (was, to) not in row.EDGES:
        raise Conflict(
            f"A {row._meta.verbose_name} that is {was} cannot become {to}.",
            code="illegal_transition",
        )
    with transaction.atomic():
        moved = (
            type(row)
            ._base_manager.filter(pk=row.pk, status=was)
            .update(status=to, reason=reason, status_at=Now(), version=F("version") + 1, **changes)
        )
        if not moved:
            return False
        record(actor, f"{row._meta.model_name}.{to}", row, {"from": was, "reason": reason})
    row.refresh_from_db()  # times were set by the database's clock
    return True


def touch(row: StatusRow, **changes: Any) -> None:
    """Writes what is no status (progress, a reason that changed while waiting) and lets the doors see it."""
    type(row)._base_manager.filter(pk=row.pk).update(version=F("version") + 1, **changes)
    row.refresh_from_db(fields=["version", *changes])


def record(
    actor: Actor, action: str, subject: models.Model, payload: Mapping[str, Any] | None = None, *, outcome: str = "done"
) -> AuditEvent:
    """Appends to the audit in the caller's transaction: without the entry the action does not happen either."""
    with transaction.atomic():
        # One row lock orders all writers; it is held until the caller's transaction ends.
        head = AuditHead.objects.select_for_update().get(pk=1)
        event = AuditEvent(
            seq=head.seq + 1,
            at=_database_now(),
            actor=actor.name,
            actor_kind=actor.kind,
            via=actor.via,
            action=action,
            object_type=str(subject._meta.model_name),
            object_id=str(getattr(subject, CALLED_BY.get(str(subject._meta.model_name), "pk"))),
            outcome=outcome,
            request_id=actor.request_id,
            digest=str(getattr(subject, "digest", "")),
            payload=chain.plain(payload or {}),
            prev_hash=head.hash,
        )
        event.hash = chain.link(head.hash, entry_of(event))
        event.save(force_insert=True)
        AuditHead.objects.filter(pk=1).update(seq=event.seq, hash=event.hash)
    return event


def entry_of(event: AuditEvent) -> dict[str, Any]:
    """The fields that the hash covers, as plain values."""
    names = [f.name for f in AuditEvent._meta.fields if f.name not in {"hash", "prev_hash", "at"}]
    return {**{name: getattr(event, name) for name in names}, "at": event.at.isoformat()}


def require(actor: Actor, verb: str, subject: models.Model, **circumstances: Any) -> None:
    """Raises Forbidden, and keeps the attempt in the audit, unless policy lets this actor do this.

    Called before the stage opens its transaction, so that the entry survives the refusal.
    """
    decision = policy.may(kind=actor.kind, roles=actor.roles, verb=verb, **circumstances)
    if not decision.allowed:
        deny(actor, verb, subject, decision.code, decision.reason)


def deny(actor: Actor, verb: str, subject: models.Model, code: str, reason: str) -> NoReturn:
    """Keeps the refused attempt in the audit, then refuses."""
    record(actor, verb, subject, {"code": code, "reason": reason}, outcome="denied")
    raise Forbidden(reason, code=code)


def hint(task: str, pk: str) -> None:
    """Tells the workers, once this transaction is committed, that a row has work.

    Only a hint: when the broker is down or forgets it, `tick` finds the row and sends it again.
    """

    def send() -> None:
        try:
            current_app.send_task(f"tidegate.{task}", args=[pk], retry=False, expires=HINT_EXPIRES_S)
        except (kombu.exceptions.OperationalError, OSError) as error:
            log.warning(
                "the broker did not take a hint; tick will send it again", extra={"task": task, "why": str(error)}
            )

    transaction.on_commit(send)


def _database_now() -> Any:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        (now,) = cursor.fetchone() or (timezone.now(),)
    return now
