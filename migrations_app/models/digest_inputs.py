"""What an approval of a rollout binds, gathered from the rows: made when it is planned, and again under the lock."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from migrations_app.engines import digest, policy
from migrations_app.engines.risk.verdict import RULESET_VERSION
from migrations_app.models.access import User
from migrations_app.models.rollouts import Rollout, Step, TargetPlan


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
    now = digest.plain(of_rollout(fresh))
    if digest.of(now) != fresh.digest:
        return f"{', '.join(digest.changed(fresh.digest_inputs, now)) or 'something'} differs from what was approved"
    if fresh.dangerous != is_dangerous(fresh):
        return "the verdict differs from the findings"
    policies = fresh.policies()
    required = max([fresh.approvals_required, *(int(p["approvals"]) for p in policies if fresh.dangerous)])
    approvals = fresh.approvals.filter(digest=fresh.digest, decision="approve").select_related("approver")
    valid = sum(_still_may(approval.approver, fresh, policies) for approval in approvals)
    if valid < required:
        return f"{valid} of {required} approvals are still valid: an approver has left, or the policy was tightened"
    return ""


def _still_may(approver: User, rollout: Rollout, policies: Sequence[dict[str, Any]]) -> bool:
    return (
        approver.is_active
        and policy.may(
            kind="machine" if approver.is_machine else "person",
            roles=approver.roles,
            verb="approve",
            is_author=approver.pk == rollout.author_id,
            policies=policies,
        ).allowed
    )
