"""Rows as the commands print them: the same names as in the REST API, so that a script can change doors."""

from __future__ import annotations

from typing import Any

from django.conf import settings

from migrations_app.management import render
from migrations_app.models import Backfill, Environment, Project, Rehearsal, Replica, Rollout, Step, Target
from migrations_app.stages.inventory import Probe

Json = dict[str, Any]


def fields(row: Any, names: str) -> Json:
    return {name: getattr(row, name) for name in names.split()}


def environment(row: Environment) -> Json:
    return fields(row, "name order policy policy_version created_at")


def project(row: Project) -> Json:
    """Without the recipe's environment, which may hold what nobody else should see."""
    bundle = row.bundle
    return {
        **fields(row, "slug name source"),
        "python": row.launch.get("python", []),
        "bundle": bundle.digest if bundle else None,
        "heads": bundle.heads if bundle else [],
        "revisions": bundle.revisions.count() if bundle else 0,
        "created_at": row.created_at,
    }


def target(row: Target) -> Json:
    return {
        **fields(row, "slug"),
        "project": row.project.slug,
        "environment": row.environment.name,
        **fields(row, "address labels limits engine server_version schema_state schema_reason current heads pending"),
        "replicas": [replica(item) for item in row.replicas.all()],
        "probed_at": row.probed_at,
    }


def replica(row: Replica | Any) -> Json:
    return fields(row, "name state lag_bytes lag_s reason")


def probe(seen: Probe) -> Json:
    shape = fields(seen, "reachable server_version current schema_state reason")
    return {**shape, "replicas": [replica(item) for item in seen.replicas]}


def rollout(row: Rollout) -> Json:
    steps = Step.objects.filter(plan__rollout=row).select_related("plan__target", "revision")
    return {
        "id": row.pk,
        "project": row.project.slug,
        "author": row.author.username,
        **fields(row, "to status"),
        "final": row.is_final,
        **fields(row, "reason digest dangerous level purpose not_before created_at started_at finished_at"),
        "approvals": approvals(row),
        "steps": [step(item) for item in steps.order_by("plan__wave", "plan_id", "position")],
        "approval_url": page_of(row),
    }


def step(row: Step) -> Json:
    return {
        "target": row.plan.target.slug,
        "kind": row.kind,
        "revision": row.revision.revision,
        "message": row.revision.message,
        **fields(row, "status reason started_at finished_at"),
    }


def plan(row: Rollout) -> Json:
    """What would run on each target, exactly, as `GET rollouts/{id}/plan/` answers it."""
    plans = row.plans.select_related("target").prefetch_related("steps__revision")
    return {
        "digest": row.digest,
        "targets": [
            {
                "target": item.target.slug,
                "wave": item.wave,
                "from": item.from_heads,
                "to": item.to_heads,
                "fingerprint": item.fingerprint,
                "steps": [_planned(step) for step in item.steps.all()],
            }
            for item in plans
        ],
    }


def _planned(row: Step) -> Json:
    return {
        **fields(row, "kind direction"),
        "revision": row.revision.revision,
        "message": row.revision.message,
        "sql": row.statements,
        "findings": findings(row.analysis),
        "level": row.analysis.get("level"),
        "dangerous": row.analysis.get("dangerous"),
        "opaque": row.opaque,
        "rehearsal": {"done": rehearsal is not None, "id": rehearsal, "recorded": row.recorded},
        "backfill": row.revision.backfill if row.kind == "backfill" else None,
    }


def findings(analysis: Json) -> list[Json]:
    """Those of the revision as a whole, then those of its statements."""
    of_statements = [finding for statement in analysis.get("statements", []) for finding in statement["findings"]]
    return [*analysis.get("findings", []), *of_statements]


def rehearsal(row: Rehearsal) -> Json:
    """As `GET rehearsals/{id}/` answers it."""
    return {
        "id": row.pk,
        "target": row.target.slug,
        "status": row.status,
        "final": row.is_final,
        "reason": row.reason,
        "from": row.from_heads,
        "to": row.to_heads,
        **fields(row, "fingerprint notes server_version duration_s created_at started_at finished_at digest"),
        "revisions": [each.told() for each in row.found.revisions] if row.found else [],
    }


def backfill(row: Backfill) -> Json:
    return {
        "id": row.pk,
        "target": row.target.slug,
        "author": row.author.username,
        **fields(row, "table set where key purpose status"),
        "final": row.is_final,
        **fields(row, "reason digest rows_done rows_scanned rows_estimated fraction rows_per_s eta_s chunk_rows lag_s"),
        "throttle": {"active": bool(row.throttle_reason), "reason": row.throttle_reason},
        **fields(row, "guarantee remaining_rows workers chunk_ms max_lag_s created_at started_at finished_at"),
        "approvals": approvals(row),
        "approval_url": page_of(row),
    }


def approvals(row: Rollout | Backfill) -> Json:
    given = row.approvals.select_related("approver")
    return {
        "required": row.approvals_required,
        "reason": row.approvals_reason,
        "given": [{"by": item.approver.username, **fields(item, "decision comment at")} for item in given],
        "expires_at": row.expires_at,
    }


def page_of(row: Rollout | Backfill) -> str:
    """Where a person decides."""
    return f"{settings.TIDEGATE_BASE_URL}/{row._meta.model_name}s/{row.pk}/"


def rollout_text(row: Rollout) -> str:
    """A rollout and its steps for people."""
    shape = rollout(row)
    facts = fields(row, "status reason purpose to level digest not_before started_at finished_at")
    steps = render.columns(shape["steps"], ["target", "kind", "revision", "status", "reason"], empty="no steps")
    return f"{render.pairs({'rollout': row.pk, **facts, 'decide at': page_of(row)})}\n\n{steps}"


def backfill_text(row: Backfill) -> str:
    """A backfill for people."""
    facts = {"backfill": row.pk, "target": row.target.slug, **fields(row, "table set where status reason digest")}
    numbers = fields(row, "rows_done rows_scanned rows_estimated rows_per_s eta_s lag_s throttle_reason remaining_rows")
    return render.pairs({**facts, **numbers, **fields(row, "guarantee started_at finished_at")})


def plan_text(row: Rollout) -> str:
    """Every step with its risks and its SQL for people, target by target."""
    lines = []
    for item in plan(row)["targets"]:
        lines.append(f"{item['target']}: {render.cell(item['from'])} to {render.cell(item['to'])}")
        for part in item["steps"]:
            lines.append(f"  {part['kind']} {part['revision']} {part['message']} [{part['level'] or '-'}]")
            lines += [f"    ! {found['rule']}: {found['message']}" for found in part["findings"]]
            lines += [f"    ? {part['opaque']}"] if part["opaque"] else []
            lines += ["    as a rehearsal recorded it:"] if part["rehearsal"]["recorded"] else []
            lines += [f"    {render.cell(part['backfill'])}"] if part["backfill"] else []
            lines += [f"    {line}" for sql in part["sql"] for line in f"{sql};".splitlines()]
    return "\n".join(lines)
