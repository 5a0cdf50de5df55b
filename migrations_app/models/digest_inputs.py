"""What an approval binds, gathered from the rows: made when something is proposed, and again before it runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from migrations_app.engines import digest, policy
from migrations_app.engines.backfill.declared import from_literal
from migrations_app.engines.risk.verdict import RULESET_VERSION
from migrations_app.models.access import User
from migrations_app.models.backfills import Backfill
from migrations_app.models.rollouts import Rollout, Step, TargetPlan
from migrations_app.models.waivers import objection as objection_of_waivers
from migrations_app.models.waivers import used_by


def of_rollout(rollout: Rollout) -> dict[str, Any]:
    """Every input of the digest, as plain values (docs/why/approvals-bind-a-digest.md says why each is in it)."""
    plans = list(rollout.plans.select_related("target__environment").order_by("wave", "target__slug"))
    steps = list(Step.objects.filter(plan__rollout=rollout).select_related("revision").order_by("plan_id", "position"))
    by_plan: dict[str, list[Step]] = {}
    for step in steps:
        by_plan.setdefault(step.plan_id, []).append(step)
    environments = {plan.target.environment for plan in plans}
    return {
        "kind": "rollout",
        "author": rollout.author.get_username(),
        "bundle": rollout.bundle.digest,
        "revisions": sorted({(step.revision.revision, step.revision.sha256) for step in steps}),
        "definition": [step.revision.backfill for step in steps if step.kind == "backfill"],
        "ruleset": RULESET_VERSION,
        "verdict": {"dangerous": rollout.dangerous, "hazards": sorted(_hazards(steps))},
        "waivers": [[row.pk, row.expires_at.isoformat(), row.revoked_at is not None] for row in used_by(steps)],
        "rehearsals": [
            [plan.target.slug, plan.rehearsal_id, plan.rehearsal_digest] for plan in plans if plan.rehearsal_id
        ],
        "parameters": rollout.parameters,
        "policies": sorted((environment.name, environment.policy_version) for environment in environments),
        "targets": [_of_plan(plan, by_plan.get(plan.pk, [])) for plan in plans],
        "sql": digest.of({"steps": [_of_step(step) for step in steps]}),
    }


def is_dangerous(rollout: Rollout) -> bool:
    """What the findings of its steps say, whatever its own row says."""
    found = Step.objects.filter(plan__rollout=rollout, kind="revision").values_list("analysis__dangerous", flat=True)
    return any(dangerous is not False for dangerous in found)


def _of_plan(plan: TargetPlan, steps: list[Step]) -> list[Any]:
    return [
        plan.target.slug,
        plan.system_identifier,
        plan.database_oid,
        plan.wave,
        plan.from_heads,
        plan.to_heads,
        plan.fingerprint,
        [(step.kind, step.direction, step.revision.revision) for step in steps],
    ]


def _of_step(step: Step) -> list[Any]:
    return [step.revision.revision, step.kind, step.direction, step.statements, step.opaque]


def _hazards(steps: list[Step]) -> set[str]:
    return {hazard for step in steps for hazard in step.analysis.get("hazards", [])}


def objection(rollout: Rollout) -> str:
    """Why the approval holds no more, or "": the inputs are gathered anew, and the approvers looked at again."""
    fresh = Rollout.objects.select_related("author", "bundle").get(pk=rollout.pk)
    if void := objection_of_waivers(fresh):
        return void
    now = digest.plain(of_rollout(fresh))
    if digest.of(now) != fresh.digest:
        return f"{', '.join(digest.changed(fresh.digest_inputs, now)) or 'something'} differs from what was approved"
    if fresh.dangerous != is_dangerous(fresh):
        return "the verdict differs from the findings"
    return _missing_approvals(fresh, is_dangerous=fresh.dangerous)


def of_backfill(backfill: Backfill, table: list[Any]) -> dict[str, Any]:
    """Every input of a backfill's own digest; `table` is what engines/backfill/declared.identity says of it now."""
    target = backfill.target
    return {
        "kind": "backfill",
        "author": backfill.author.get_username(),
        "targets": [target.slug, target.system_identifier, target.database_oid],
        "definition": {name: getattr(backfill, name) for name in ("table", "set", "where", "key")},
        "table": table,
        "verdict": backfill.analysis["hazards"],
        "ruleset": RULESET_VERSION,
        "policies": [[target.environment.name, target.environment.policy_version]],
    }


def objection_to_backfill(backfill: Backfill, table: list[Any]) -> str:
    """Why it may not run (any more), or "". One out of a revision must be what the approved bundle declares.

    Once rows are done, a new policy or ruleset no longer stops it: these were judged at its start.
    """
    if backfill.step is not None:
        revision = backfill.step.revision
        approved = from_literal(revision.backfill or {}, where_found=revision.path)
        return "" if backfill.definition() == approved else "its definition is not the one that its revision declares"
    now = digest.plain(of_backfill(backfill, table))
    has_begun = backfill.rows_scanned > 0
    if has_begun:
        now |= {name: backfill.digest_inputs[name] for name in ("policies", "ruleset")}
    if digest.of(now) != backfill.digest:
        return f"{', '.join(digest.changed(backfill.digest_inputs, now)) or 'something'} differs from what was approved"
    return "" if has_begun else _missing_approvals(backfill, is_dangerous=bool(backfill.analysis["dangerous"]))


def _missing_approvals(subject: Rollout | Backfill, *, is_dangerous: bool) -> str:
    """The stricter of the policy then and now, counted over those who may still approve."""
    policies = subject.policies()
    required = max([subject.approvals_required, *(int(p["approvals"]) for p in policies if is_dangerous)])
    approvals = subject.approvals.filter(digest=subject.digest, decision="approve").select_related("approver")
    valid = sum(_still_may(approval.approver, subject, policies) for approval in approvals)
    if valid < required:
        return f"{valid} of {required} approvals are still valid: an approver has left, or the policy was tightened"
    return ""


def _still_may(approver: User, subject: Rollout | Backfill, policies: Sequence[dict[str, Any]]) -> bool:
    return (
        approver.is_active
        and policy.may(
            kind="machine" if approver.is_machine else "person",
            roles=approver.roles,
            verb="approve",
            is_author=approver.pk == subject.author_id,
            policies=policies,
        ).allowed
    )
