"""One person's decision on one digest, and what follows from it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, TypeVar

from django.db import IntegrityError, transaction
from django.db.models.functions import Now
from django.utils import timezone

from migrations_app import lifecycle
from migrations_app.engines import policy
from migrations_app.errors import Conflict, Invalid
from migrations_app.models import Actor, Backfill, Rollout, Step, User
from migrations_app.models.status import StepStatus

Subject = TypeVar("Subject", Rollout, Backfill)


def may_decide(*, actor: Actor, subject: Rollout | Backfill) -> policy.Decision:
    """Whether this actor may decide on it, and why not. Changes nothing: pages and the API show the answer."""
    if subject.status != "awaiting_approval":
        return policy.Decision(False, "illegal_transition", f"It is {subject.status.replace('_', ' ')}.")
    if subject.approvals.filter(approver_id=actor.user_id, digest=subject.digest).exists():
        return policy.Decision(False, "already_decided", "You have decided on this already.")
    return policy.may(kind=actor.kind, roles=actor.roles, verb="approve", **_circumstances(actor, subject))


def approve(
    *, actor: Actor, user: User, subject: Subject, digest: str, comment: str = "", confirm: str = ""
) -> Subject:
    """Adds the person's approval of exactly this digest; with the last one needed, it may start.

    Raises Forbidden (self_approval, machine, forbidden) or Conflict (stale, illegal_transition, already_decided).
    """
    lifecycle.require(actor, "approve", subject, **_circumstances(actor, subject))
    if confirm and confirm not in (names := subject.target_slugs()):
        raise Invalid.field("/confirm", f"To confirm, type the target's name: {', '.join(names)}.")
    with transaction.atomic():
        row = _locked(subject, digest)
        _decide(row, user, "approve", comment)
        lifecycle.record(actor, f"{row._meta.model_name}.approval", row, {"comment": comment})
        given = row.approvals.filter(digest=row.digest, decision="approve").count()
        if given >= row.approvals_required:
            _approved(row, actor, given)
        else:
            missing = row.approvals_required - given
            lifecycle.touch(row, reason=f"{given} of {row.approvals_required} approvals given; {missing} missing")
    return row


def reject(*, actor: Actor, user: User, subject: Subject, digest: str, comment: str) -> Subject:
    """Ends it. A comment is needed, so that its author knows what to change."""
    lifecycle.require(actor, "approve", subject, **_circumstances(actor, subject))
    if not comment.strip():
        raise Invalid.field("/comment", "Say why, so that its author knows what to change.")
    with transaction.atomic():
        row = _locked(subject, digest)
        _decide(row, user, "reject", comment)
        lifecycle.advance(row, "rejected", actor=actor, reason=f"rejected by {user}: {comment}", finished_at=Now())
        if isinstance(row, Rollout):
            _move_steps(row, "cancelled", actor, "its rollout was rejected")
    return row


def _circumstances(actor: Actor, subject: Rollout | Backfill) -> dict[str, Any]:
    return {"is_author": subject.author_id == actor.user_id, "policies": subject.policies()}


def _locked(subject: Subject, digest: str) -> Subject:
    """The row as it is now, locked: two who decide at once are ordered here, and each sees the other's decision."""
    row: Subject = type(subject)._base_manager.select_for_update().get(pk=subject.pk)
    if row.digest != digest:
        raise Conflict(
            "What you looked at has changed since. Look at it again and decide on what it is now.", code="stale"
        )
    if row.status != "awaiting_approval":
        raise Conflict(f"It is {row.status.replace('_', ' ')} by now: {row.reason}", code="illegal_transition")
    return row


def _decide(row: Rollout | Backfill, user: User, decision: str, comment: str) -> None:
    try:
        with transaction.atomic():
            row.approvals.create(digest=row.digest, decision=decision, approver=user, comment=comment)
    except IntegrityError:
        raise Conflict("You have decided on this already.", code="already_decided") from None


def _approved(row: Rollout | Backfill, actor: Actor, given: int) -> None:
    expiry_h = policy.strictest_expiry_h(row.policies())
    people = ", ".join(row.approvals.filter(decision="approve").values_list("approver__username", flat=True))
    lifecycle.advance(
        row,
        "approved",
        actor=actor,
        reason=f"approved by {people}",
        expires_at=timezone.now() + timedelta(hours=expiry_h),
    )
    if isinstance(row, Rollout):
        _move_steps(row, "approved", actor, f"approved with its rollout by {given}")


def _move_steps(rollout: Rollout, to: str, actor: Actor, reason: str) -> None:
    for step in Step.objects.filter(plan__rollout=rollout, status=StepStatus.PLANNED):
        lifecycle.advance(step, to, actor=actor, reason=reason)
