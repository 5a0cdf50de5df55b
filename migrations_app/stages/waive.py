"""A reviewer takes one finding upon themselves, with a reason and an end; and takes it back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from migrations_app import lifecycle
from migrations_app.engines import policy
from migrations_app.engines.risk import waivers
from migrations_app.errors import Conflict, FieldError, Invalid
from migrations_app.models import Actor, Environment, Project, Revision, Rollout, Step, User, Waiver

LONGEST_DAYS = 180
STATEMENT_KEPT = 2_000  # characters of it that a reader of the list may want
Found = tuple[Revision, waivers.Danger]


def may_waive(*, actor: Actor, rollout: Rollout | None = None) -> policy.Decision:
    """Whether this actor may waive what was found in it, and why not. Changes nothing: pages show the answer."""
    if rollout is not None and rollout.author_id == actor.user_id:
        why = "You are the author: your waiver would not count for your own rollout. Somebody else has to decide."
        return policy.Decision(False, "self_approval", why)
    return policy.may(kind=actor.kind, roles=actor.roles, verb="approve")


def waive(
    *,
    actor: Actor,
    user: User,
    subject: Rollout | Revision,
    finding: str = "",
    rule: str = "",
    environment: Environment | None = None,
    reason: str,
    expires_at: datetime,
) -> Waiver:
    """Waives one danger of a rollout's plan, or of a revision as its SQL alone shows it, for plans made from now on.

    `finding` is the finding's `subject`; `rule` is enough where only one danger has it. Without an environment the
    waiver counts in all in which its author may approve. Raises Forbidden (machine, self_approval, forbidden),
    Invalid with pointers, or Conflict (already_waived).
    """
    _require(actor, subject, environment)
    _check(reason, expires_at)
    revision, danger = _the_one(subject, finding, rule)
    row = Waiver(
        project=revision.bundle.project,
        environment=environment,
        revision=revision.revision,
        rule=danger.finding["rule"],
        subject=danger.finding["subject"],
        message=danger.finding["message"],
        statement=danger.sql[:STATEMENT_KEPT],
        reason=reason.strip(),
        created_by=user,
        expires_at=expires_at,
    )
    with transaction.atomic():
        Project.objects.select_for_update().get(pk=row.project_id)  # a form that is sent twice makes one waiver
        _refuse_second(row)
        row.save(force_insert=True)
        lifecycle.record(actor, "waiver.created", row, _told(row))
    row.refresh_from_db()  # times were set by the database's clock
    return row


def revoke(*, actor: Actor, user: User, waiver: Waiver, reason: str) -> Waiver:
    """Ends it. Rollouts that stand on it go stale before their next statement; what ran stays."""
    decision = may_waive(actor=actor)
    if not decision.allowed:
        lifecycle.deny(actor, "revoke", waiver, decision.code, decision.reason)
    if not reason.strip():
        raise Invalid.field("/reason", "Say why: who relied on this waiver will read it.")
    with transaction.atomic():
        active = Waiver.objects.in_state("active").filter(pk=waiver.pk)
        if not active.update(revoked_at=Now(), revoked_by=user, revoke_reason=reason.strip()):
            waiver.refresh_from_db()
            raise Conflict(f"This waiver is {waiver.state} already.", code="illegal_transition")
        waiver.refresh_from_db()
        told = {"reason": waiver.revoke_reason, "rule": waiver.rule, "revision": waiver.revision}
        lifecycle.record(actor, "waiver.revoked", waiver, told)
    return waiver


def _require(actor: Actor, subject: Rollout | Revision, environment: Environment | None) -> None:
    decision = may_waive(actor=actor, rollout=subject if isinstance(subject, Rollout) else None)
    if decision.allowed and environment is not None:
        policies = [environment.policy]
        decision = policy.may(kind=actor.kind, roles=actor.roles, verb="approve", policies=policies)
    if not decision.allowed:
        lifecycle.deny(actor, "waive", subject, decision.code, decision.reason)


def _check(reason: str, expires_at: datetime) -> None:
    errors = []
    if not reason.strip():
        errors.append(FieldError("/reason", "Say why this is safe: whoever plans with it will read it."))
    if expires_at <= timezone.now():
        errors.append(FieldError("/expires_at", "This is in the past: a waiver ends at a time to come."))
    elif expires_at > timezone.now() + timedelta(days=LONGEST_DAYS):
        errors.append(FieldError("/expires_at", f"A waiver lasts for {LONGEST_DAYS} days at most; then look again."))
    if errors:
        raise Invalid(errors[0].detail if len(errors) == 1 else f"{len(errors)} fields are wrong.", errors=errors)


def _the_one(subject: Rollout | Revision, finding: str, rule: str) -> Found:
    """The danger that is meant: by its `subject`, or by its rule when no other has that."""
    if not finding and not rule:
        raise Invalid.field("/subject", "Name the finding: its subject, or its rule when only one danger has that.")
    meant: dict[str, Found] = {}
    for revision, danger in _dangers(subject):
        if finding in ("", danger.finding.get("subject")) and rule in ("", danger.finding["rule"]):
            meant.setdefault(danger.finding.get("subject", ""), (revision, danger))
    meant.pop("", None)  # of a plan that is older than waivers
    if len(meant) > 1:
        told = "; ".join(f"{key} ({revision.revision}: {d.finding['message']})" for key, (revision, d) in meant.items())
        raise Invalid.field("/subject", f"Several dangers have this rule. Say which one: {told}")
    if not meant:
        pointer, what = ("/subject", "subject") if finding else ("/rule", "rule")
        raise Invalid.field(pointer, f"There is no danger with this {what} in {subject}: it may have changed since.")
    return next(iter(meant.values()))


def _dangers(subject: Rollout | Revision) -> Iterator[Found]:
    if isinstance(subject, Revision):
        marked = waivers.mark(subject.analysis or {}, sha256=subject.sha256, direction="up")
        yield from ((subject, danger) for danger in waivers.dangers(marked))
        return
    steps = Step.objects.filter(plan__rollout=subject, kind="revision").select_related("revision__bundle__project")
    for step in steps.defer("revision__source", "revision__bundle__archive").order_by("plan_id", "position"):
        yield from ((step.revision, danger) for danger in waivers.dangers(step.analysis))


def _refuse_second(row: Waiver) -> None:
    same = Waiver.objects.in_state("active").filter(
        project=row.project, subject=row.subject, environment=row.environment, created_by=row.created_by
    )
    if found := same.first():
        until = f"{found.expires_at:%Y-%m-%d %H:%M} UTC"
        raise Conflict(
            f"You have waived this already, until {until} ({found.pk}). To change it, revoke that one first.",
            code="already_waived",
        )


def _told(row: Waiver) -> dict[str, str | None]:
    return {
        "reason": row.reason,
        "project": row.project.slug,
        "revision": row.revision,
        "rule": row.rule,
        "subject": row.subject,
        "finding": row.message,
        "environment": row.environment.name if row.environment else None,
        "expires_at": row.expires_at.isoformat(),
    }
