"""A decided rollout on its way: started, paused, resumed, cancelled, retried, and carried on by the scheduler."""

from __future__ import annotations

from django.db import transaction
from django.db.models import Max, Q
from django.db.models.functions import Now
from django.utils import timezone

from migrations_app import lifecycle
from migrations_app.engines import schedule
from migrations_app.errors import Conflict
from migrations_app.models import Actor, Backfill, Rollout, Step, TargetPlan, digest_inputs
from migrations_app.models.status import STEP_BROKEN, RolloutStatus, StepStatus


def start(*, actor: Actor, rollout: Rollout) -> Rollout:
    """Lets an approved rollout run, or waits for its `not_before`."""
    lifecycle.require(actor, "operate", rollout)
    with transaction.atomic():
        row = _locked(rollout, {"approved"}, "started")
        expired = _expire(row)
        objection = "" if expired else digest_inputs.objection(row)
        if objection:
            _void(row, objection)
    if expired or objection:  # outside the transaction, which has to keep that it went stale
        raise Conflict(f"It cannot start: {row.reason}", code="expired" if expired else "stale")
    with transaction.atomic():
        row = _locked(rollout, {"approved"}, "started")
        if row.not_before and row.not_before > timezone.now():
            _move(row, "scheduled", actor, f"starts at {row.not_before:%Y-%m-%d %H:%M:%S} UTC")
        else:
            _move(row, "running", actor, f"started by {actor.name}", started_at=Now())
            lifecycle.hint("progress", row.pk)
    return row


def pause(*, actor: Actor, rollout: Rollout) -> Rollout:
    """Starts no further step. A step in progress ends first; a running backfill pauses after its chunk."""
    return _ask(actor, rollout, "pause", verb="operate", allowed={"running"})


def cancel(*, actor: Actor, rollout: Rollout) -> Rollout:
    """Ends it. What ran stays; a revision in progress is cancelled and rolled back by the target."""
    lifecycle.require(actor, "cancel", rollout, is_author=rollout.author_id == actor.user_id)
    row = Rollout.objects.get(pk=rollout.pk)
    if row.status in {"running"}:
        return _ask(actor, row, "cancel", verb="cancel", allowed={"running"})
    with transaction.atomic():
        row = _locked(rollout, {"planning", "awaiting_approval", "approved", "scheduled", "paused"}, "cancelled")
        _move(row, "cancelled", actor, f"cancelled by {actor.name}", finished_at=Now())
        _close_steps(row, actor)
    return row


def resume(*, actor: Actor, rollout: Rollout) -> Rollout:
    """Carries on a paused rollout, its paused backfill included."""
    lifecycle.require(actor, "operate", rollout)
    with transaction.atomic():
        row = _locked(rollout, {"paused"}, "resumed")
        _refuse_expired(row)
        _move(row, "running", actor, f"resumed by {actor.name}", asked="")
        for backfill in Backfill.objects.filter(step__plan__rollout=row, status="paused"):
            lifecycle.advance(backfill, "running", actor=actor, reason=f"resumed with its rollout by {actor.name}")
            lifecycle.hint("run_backfill", backfill.pk)
        lifecycle.hint("progress", row.pk)
    return row


def retry(*, actor: Actor, rollout: Rollout) -> Rollout:
    """Tries what failed once more, from where the target stands; what is verified is not run again."""
    lifecycle.require(actor, "operate", rollout)
    with transaction.atomic():
        row = _locked(rollout, {"failed"}, "retried")
        _refuse_expired(row)
        for step in Step.objects.filter(plan__rollout=row, status__in=STEP_BROKEN):
            to = "approved" if step.status == StepStatus.FAILED else "executed"
            lifecycle.advance(step, to, actor=actor, reason=f"retried by {actor.name}", finished_at=None)
        TargetPlan.objects.filter(rollout=row).update(attempts=0, not_before=None)
        _move(row, "running", actor, f"retried by {actor.name}", asked="", finished_at=None)
        lifecycle.hint("progress", row.pk)
    return row


def progress(*, rollout_id: str) -> schedule.Outlook:
    """Looks at a running rollout: follows its backfills, hints what is due, or ends it. Safe to repeat."""
    actor = Actor.system("tick")
    with transaction.atomic():
        row = Rollout.objects.select_for_update().get(pk=rollout_id)
        if row.status == RolloutStatus.SCHEDULED and row.not_before and row.not_before <= timezone.now():
            if _expire(row):
                return schedule.Outlook((), row.status, row.reason)
            _move(row, "running", actor, "its time has come", started_at=Now())
        if row.status != RolloutStatus.RUNNING:
            return schedule.Outlook((), row.status, row.reason)
        _follow_backfills(row, actor)
        seen = _outlook(row)
        _settle(row, seen, actor)
    return seen


def sweep() -> list[str]:
    """Every rollout that the scheduler must look at; also voids approvals that ran out of time."""
    for row in Rollout.objects.filter(status=RolloutStatus.APPROVED, expires_at__lt=Now()):
        _expire(row)
    return list(Rollout.objects.moving().values_list("pk", flat=True))


def _locked(rollout: Rollout, allowed: set[str], verb: str) -> Rollout:
    row = Rollout.objects.select_for_update().get(pk=rollout.pk)
    if row.status not in allowed:
        raise Conflict(f"A rollout that is {row.status} cannot be {verb}: {row.reason}", code="illegal_transition")
    return row


def _move(row: Rollout, to: str, actor: Actor, reason: str, **changes: object) -> None:
    if not lifecycle.advance(row, to, actor=actor, reason=reason, **changes):
        raise Conflict("Somebody else was first. Look at it again.")


def _ask(actor: Actor, rollout: Rollout, what: str, *, verb: str, allowed: set[str]) -> Rollout:
    lifecycle.require(actor, verb, rollout, is_author=rollout.author_id == actor.user_id)
    with transaction.atomic():
        row = _locked(rollout, allowed, f"{what}d")
        lifecycle.touch(row, asked=what, reason=f"{what} asked by {actor.name}; the step in progress ends first")
        lifecycle.record(actor, f"rollout.{what}_asked", row)
        for backfill in Backfill.objects.filter(step__plan__rollout=row, status__in=("running", "pausing")):
            to = {"pause": "pausing", "cancel": "cancelling"}[what]
            if backfill.status != to:
                lifecycle.advance(backfill, to, actor=actor, reason=f"{what} of its rollout asked by {actor.name}")
        lifecycle.hint("progress", row.pk)
    return row


def _refuse_expired(row: Rollout) -> None:
    if row.expires_at and row.expires_at <= timezone.now():
        when = f"{row.expires_at:%Y-%m-%d %H:%M} UTC"
        raise Conflict(f"Its approval ran out at {when}: propose what is left again.", code="expired")


def _expire(row: Rollout) -> bool:
    if row.expires_at is None or row.expires_at > timezone.now():
        return False
    _void(row, f"its approval ran out at {row.expires_at:%Y-%m-%d %H:%M} UTC")
    return True


def _void(row: Rollout, why: str) -> None:
    system = Actor.system("tick")
    if lifecycle.advance(row, "stale", actor=system, reason=f"{why}: propose it again", finished_at=Now()):
        _close_steps(row, system)


def _follow_backfills(row: Rollout, actor: Actor) -> None:
    """Carries the end of a backfill over to the step that stands for it."""
    for step in Step.objects.filter(plan__rollout=row, kind="backfill", status="running").select_related("backfill"):
        backfill = step.backfill
        if backfill.status == "verified":
            lifecycle.advance(step, "executed", actor=actor, reason="the backfill has done every row")
            lifecycle.advance(step, "verified", actor=actor, reason=backfill.reason, finished_at=Now())
        elif backfill.is_final:
            # Cancelled by itself it is a failure of the step: what comes after must not run without it.
            to = "cancelled" if backfill.status == "cancelled" and row.asked == "cancel" else "failed"
            reason = f"its backfill is {backfill.status}: {backfill.reason}"
            lifecycle.advance(step, to, actor=actor, reason=reason, finished_at=Now())


def _outlook(row: Rollout) -> schedule.Outlook:
    plans = row.plans.select_related("target").annotate(last_verified_at=Max("steps__finished_at"))
    leased = set(row.plans.filter(lease_until__gte=Now()).values_list("pk", flat=True))
    paused = set(row.plans.filter(steps__backfill__status="paused").values_list("pk", flat=True))
    statuses: dict[str, list[str]] = {}
    for plan_id, status in Step.objects.filter(plan__rollout=row).order_by("position").values_list("plan_id", "status"):
        # A paused backfill keeps nobody busy.
        statuses.setdefault(plan_id, []).append("approved" if status == "running" and plan_id in paused else status)
    views = [
        schedule.PlanView(
            id=plan.pk,
            target=plan.target.slug,
            wave=plan.wave,
            steps=tuple(s for s in statuses.get(plan.pk, []) if s != "cancelled"),
            is_leased=plan.pk in leased,
            not_before=plan.not_before,
            last_verified_at=plan.last_verified_at,
        )
        for plan in plans
    ]
    parameters = row.parameters
    return schedule.outlook(
        views,
        asked=row.asked,
        failure_budget=int(parameters.get("failure_budget", 0)),
        soak_s=float(parameters.get("soak_s", 0)),
        now=timezone.now(),
    )


def _settle(row: Rollout, seen: schedule.Outlook, actor: Actor) -> None:
    for plan in TargetPlan.objects.filter(pk__in=seen.due).select_related("target__environment", "rollout__author"):
        _wake(plan)
    if seen.status == "running":
        if seen.reason != row.reason:
            lifecycle.touch(row, reason=seen.reason)
        return
    ended = {} if seen.status == "paused" else {"finished_at": Now()}
    lifecycle.advance(row, seen.status, actor=actor, reason=seen.reason, asked="", **ended)
    if seen.status == "cancelled":
        _close_steps(row, actor)


def _wake(plan: TargetPlan) -> None:
    """Hints a worker for revisions; starts a backfill; or lets a revision wait until the backfill before has soaked."""
    step = plan.next_step()
    if step is None or (step.status != StepStatus.APPROVED and step.kind == "backfill"):
        return
    if step.kind == "backfill":
        _start_backfill(plan, step)
    elif until := Backfill.objects.soaks_until(step):
        TargetPlan.objects.filter(pk=plan.pk).update(not_before=until)
        lifecycle.touch(step, reason=f"waits until the backfill before it has soaked: {until:%Y-%m-%d %H:%M:%S} UTC")
    else:
        lifecycle.hint("run_revisions", plan.pk)


def _start_backfill(plan: TargetPlan, step: Step) -> None:
    """The step stands for a backfill row, which its own workers carry on; its rollout's approval covers it."""
    actor, declared, rollout = Actor.system("tick"), step.revision.backfill or {}, plan.rollout
    lag_limit_s = plan.target.limits.get("max_lag_s") or plan.target.environment.policy["max_lag_s"]
    backfill, _ = Backfill.objects.get_or_create(
        step=step,
        defaults={
            "target": plan.target,
            "author": rollout.author,
            "purpose": f"revision {step.revision.revision}: {step.revision.message}",
            "table": declared["table"],
            "set": declared["set"],
            "where": declared.get("where") or "",
            "key": declared.get("key"),
            "max_lag_s": lag_limit_s,
            "digest": rollout.digest,
        },
    )
    if backfill.status == "declared":
        lifecycle.advance(backfill, "approved", actor=actor, reason=f"approved with its rollout {rollout.pk}")
    if backfill.status in {"approved", "failed", "paused"}:
        changes = {"started_at": Now(), "attempts": 0, "not_before": None, "finished_at": None}
        lifecycle.advance(backfill, "running", actor=actor, reason="its rollout has come to it", **changes)
    lifecycle.advance(step, "running", actor=actor, reason="the backfill runs", started_at=Now())
    lifecycle.hint("run_backfill", backfill.pk)


def _close_steps(row: Rollout, actor: Actor) -> None:
    open_steps = Q(status__in=[StepStatus.PLANNED, StepStatus.APPROVED, StepStatus.FAILED])
    for step in Step.objects.filter(open_steps, plan__rollout=row):
        lifecycle.advance(step, "cancelled", actor=actor, reason=row.reason, finished_at=Now())
    for backfill in Backfill.objects.filter(step__plan__rollout=row, status__in=("approved", "paused")):
        lifecycle.advance(backfill, "cancelled", actor=actor, reason=row.reason, finished_at=Now())
