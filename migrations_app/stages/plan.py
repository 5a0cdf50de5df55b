"""From "bring these targets there" to a plan with a digest: what would run on each, exactly, and what it risks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from django.db import transaction

from migrations_app import lifecycle
from migrations_app.engines import digest, history, policy, settings_check
from migrations_app.engines.backfill import declared
from migrations_app.engines.postgres import catalog
from migrations_app.engines.postgres.connect import connect
from migrations_app.engines.postgres.facts import facts_for
from migrations_app.engines.postgres.fingerprint import fingerprint
from migrations_app.engines.risk import verdict, waivers
from migrations_app.engines.runner import spawn
from migrations_app.engines.runner.launch import Launch
from migrations_app.errors import Conflict, Invalid, TidegateError, Unprocessable
from migrations_app.models import (
    Actor,
    Backfill,
    Bundle,
    Project,
    Revision,
    Rollout,
    Step,
    Target,
    TargetPlan,
    User,
    digest_inputs,
)
from migrations_app.models.secrets import address_of
from migrations_app.models.waivers import people_needed, that_count

MOST_TARGETS = 500
LEVELS = ("low", "medium", "high", "critical")


@dataclass(frozen=True)
class Draft:
    """The plan for one target before it is kept."""

    target: Target
    wave: int
    identity: catalog.Identity
    from_heads: tuple[str, ...]
    to_heads: tuple[str, ...]
    fingerprint: str
    direction: str
    revisions: tuple[Revision, ...]
    analyses: tuple[dict[str, Any], ...]


def pending(*, actor: Actor, target: Target) -> list[dict[str, Any]]:
    """What is not applied on the target, in order of execution, each with what it risks there.

    Waivers count as they would in a rollout of this actor's.
    """
    lifecycle.require(actor, "probe", target)
    bundle = _bundle(target.project)
    with _open(target) as conn:
        heads = _heads(conn, bundle)
        done = history.applied(bundle.parents(), heads)
        rows = [row for row in bundle.revisions.in_order() if row.revision not in done]
        analyses = _weighed(_analyses(conn, rows, "up"), rows, "up", target, actor.user_id)
    return [
        {
            "revision": row.revision,
            "message": row.message,
            "level": analysis["level"],
            "dangerous": analysis["dangerous"],
            "findings": _findings(analysis),
        }
        for row, analysis in zip(rows, analyses, strict=True)
    ]


def create_rollout(
    *,
    actor: Actor,
    author: User,
    project: Project,
    targets: Sequence[Target] | None = None,
    selector: Mapping[str, Any] | None = None,
    to: str = "head",
    purpose: str,
    waves: Sequence[Sequence[str]] | None = None,
    failure_budget: int = 0,
    soak_s: int = 0,
    not_before: datetime | None = None,
) -> Rollout:
    """Plans every target and keeps the rollout, waiting for approval when anything in it is dangerous.

    Raises the first thing that makes a plan impossible (unreachable target, unknown revision, two heads, nothing to
    do); then nothing is kept.
    """
    rollout = Rollout(project=project, author=author, to=to, purpose=purpose, not_before=not_before)
    lifecycle.require(actor, "propose", rollout)
    if not purpose.strip():
        raise Invalid.field("/reason", "Say why: the approver will read it.")
    chosen = _chosen(project, targets, selector)
    _refuse_busy(chosen)
    by_wave = _waves(chosen, waves)
    rollout.bundle = _bundle(project)
    rollout.parameters = {
        "waves": [[target.slug for target in wave] for wave in by_wave],
        "failure_budget": failure_budget,
        "soak_s": soak_s,
        "not_before": not_before.isoformat() if not_before else None,
        "limits": {target.slug: {**settings_check.DEFAULT_LIMITS, **target.limits} for target in chosen},
    }
    drafts = _drafts(rollout, by_wave, to)
    with transaction.atomic():
        _keep(rollout, drafts, actor)
    return rollout


def _chosen(project: Project, targets: Sequence[Target] | None, selector: Mapping[str, Any] | None) -> list[Target]:
    if (targets is None) == (selector is None):
        raise Invalid.field("/targets", "Name targets or a selector, one of the two.")
    if targets is None:
        assert selector is not None
        found = Target.objects.filter(project=project).select_related("environment")
        if selector.get("environment"):
            found = found.filter(environment__name=selector["environment"])
        targets = list(
            found.filter(labels__contains=selector.get("labels") or {}).order_by("environment__order", "slug")
        )
        if not targets:
            raise Invalid.field("/selector", "No target fits the selector.")
    for index, target in enumerate(targets):
        if target.project_id != project.pk:
            raise Invalid.field(f"/targets/{index}", f"{target} belongs to another project.")
    if not targets or len({target.pk for target in targets}) != len(targets) or len(targets) > MOST_TARGETS:
        raise Invalid.field("/targets", f"Name 1 to {MOST_TARGETS} different targets.")
    return list(targets)


def _refuse_busy(targets: Sequence[Target]) -> None:
    busy = TargetPlan.objects.filter(target__in=targets, rollout__status__in=("scheduled", "running", "paused"))
    if plan := busy.select_related("target", "rollout").first():
        raise Conflict(
            f"{plan.target} is being worked on by rollout {plan.rollout_id} ({plan.rollout.status}). "
            "Wait for it, or cancel it.",
            code="busy",
        )


def _waves(chosen: Sequence[Target], waves: Sequence[Sequence[str]] | None) -> list[list[Target]]:
    if not waves:
        return [list(chosen)]
    by_slug = {target.slug: target for target in chosen}
    named = [slug for wave in waves for slug in wave]
    if sorted(named) != sorted(by_slug):
        raise Invalid.field("/waves", "The waves must name each target of the rollout once, and no other.")
    return [[by_slug[slug] for slug in wave] for wave in waves if wave]


def _bundle(project: Project) -> Bundle:
    if project.bundle is None:
        raise Unprocessable(f"{project} has no files yet: upload a bundle, or give it a folder.", code="no_bundle")
    return project.bundle


def _open(target: Target) -> psycopg.Connection:
    return connect(address_of(target), application_name="tidegate:plan", statement_timeout_ms=15_000)


def _heads(conn: psycopg.Connection, bundle: Bundle) -> tuple[str, ...]:
    told = bundle.interpreter
    return catalog.read_heads(conn, version_table=told["version_table"], schema=told["version_table_schema"]) or ()


def _destination(launch: Launch, to: str) -> tuple[tuple[str, ...], str]:
    if to in {"head", "heads"} and launch.upgrade_to != ("heads",):
        return launch.upgrade_to, "upgrade"
    if to.startswith("-") or to == "base":
        return (to,), "downgrade"
    return (to,), "upgrade"


def _drafts(rollout: Rollout, by_wave: Sequence[Sequence[Target]], to: str) -> list[Draft]:
    """Asks each target where it is, Alembic once for all what it would run, and the risk engine what that does."""
    bundle = rollout.bundle
    launch, folder = Launch.from_json(rollout.project.launch), bundle.unpack()
    places = [(target, wave) for wave, members in enumerate(by_wave) for target in members]
    currents = []
    for target, _ in places:
        with _open(target) as conn:
            currents.append(_heads(conn, bundle))
    destination, direction = _destination(launch, to)
    answers = spawn.plans(launch, folder, [spawn.Query(current, destination, direction) for current in currents])
    rows = {row.revision: row for row in bundle.revisions.in_order()}
    drafts = []
    for (target, wave), current, answer in zip(places, currents, answers, strict=True):
        if isinstance(answer, TidegateError):
            raise type(answer)(f"{target}: {answer.detail}", code=answer.code, errors=answer.errors)
        if not answer.revisions:
            continue  # it is there already, as after a rollout that some targets had survived
        revisions = tuple(rows[revision] for revision in answer.revisions)
        drafts.append(_draft(target, wave, current, revisions, direction, rollout))
    if not drafts:
        names = ", ".join(str(target) for target, _ in places)
        at = "; ".join(sorted({", ".join(current) or "nothing" for current in currents}))
        raise Unprocessable(f"{names}: already at {at}, so there is nothing to do to reach {to}.", code="nothing_to_do")
    return drafts


def _draft(
    target: Target,
    wave: int,
    current: tuple[str, ...],
    revisions: tuple[Revision, ...],
    direction: str,
    rollout: Rollout,
) -> Draft:
    bundle = rollout.bundle
    short = "up" if direction == "upgrade" else "down"
    with _open(target) as conn:
        identity = catalog.identity(conn)
        if (identity.system_identifier, identity.database_oid) != (target.system_identifier, target.database_oid):
            raise Unprocessable(f"Another database answers at the address of {target} than was registered.")
        _require_backfills(conn, target, current, revisions, bundle)
        analyses = _analyses(conn, revisions, short)
        found = fingerprint(conn)
    parents = bundle.parents()
    after = history.applied(parents, current)
    names = {row.revision for row in revisions}
    after = after | names if short == "up" else after - names
    return Draft(
        target=target,
        wave=wave,
        identity=identity,
        from_heads=current,
        to_heads=tuple(sorted(history.heads(parents, after))),
        fingerprint=found.sha256,
        direction=short,
        revisions=revisions,
        analyses=tuple(_weighed(analyses, revisions, short, target, rollout.author_id)),
    )


def _analyses(conn: psycopg.Connection, revisions: Sequence[Revision], direction: str) -> list[dict[str, Any]]:
    """The analysis of each revision, in order: what an earlier one creates, renames or drops is known to the later."""
    parts = [row.to_judge(direction) for row in revisions]
    facts = facts_for(conn, parts)
    return [analysis.to_json() for analysis in verdict.analyse_each(parts, facts=facts)]


def _weighed(
    analyses: Sequence[dict[str, Any]],
    revisions: Sequence[Revision],
    direction: str,
    target: Target,
    author_id: int | None,
) -> list[dict[str, Any]]:
    """The analyses as this target's environment takes them: without what enough reviewers have waived there."""
    marked = [
        waivers.mark(analysis, sha256=row.sha256, direction=direction)
        for analysis, row in zip(analyses, revisions, strict=True)
    ]
    if not any(analysis["dangerous"] for analysis in marked):
        return marked
    accepted = that_count(target, author_id=author_id, revisions=[row.revision for row in revisions])
    return [waivers.apply(analysis, accepted, needed=people_needed(target.environment)) for analysis in marked]


def _findings(analysis: Mapping[str, Any]) -> list[dict[str, Any]]:
    of_statements = [finding for statement in analysis["statements"] for finding in statement["findings"]]
    return [*analysis.get("findings", []), *of_statements]


def _require_backfills(
    conn: psycopg.Connection,
    target: Target,
    current: tuple[str, ...],
    revisions: Sequence[Revision],
    bundle: Bundle,
) -> None:
    """Refuses a contract revision while a backfill that it stands on is neither in this plan nor done on the target."""
    coming = {row.revision for row in revisions}
    applied = history.applied(bundle.parents(), current)
    for row in revisions:
        for needed in (row.requires or {}).get("backfills", []):
            if needed in coming:
                continue
            before = bundle.revisions.filter(revision=needed).first()
            if before is None or needed not in applied or not _is_backfilled(conn, target, before):
                raise Unprocessable(
                    f"{target}: revision {row.revision} ({row.message}) requires the backfill of {needed}, which is "
                    "not finished there. Run that backfill first, then propose this again.",
                    code="backfill_missing",
                )


def _is_backfilled(conn: psycopg.Connection, target: Target, before: Revision) -> bool:
    """By our own record, or by the target itself: no row is left that the declared WHERE finds."""
    if Backfill.objects.filter(target=target, status="verified", step__revision__revision=before.revision).exists():
        return True
    if not before.backfill:
        return False
    return declared.matches_nothing(conn, declared.from_literal(before.backfill, where_found=before.path))


def _keep(rollout: Rollout, drafts: Sequence[Draft], actor: Actor) -> None:
    analyses = [analysis for draft in drafts for analysis in draft.analyses]
    hazards = sorted({hazard for analysis in analyses for hazard in analysis["hazards"]})
    dangers = sorted({rule for analysis in analyses for rule in waivers.open_rules(analysis)})
    policies = [draft.target.environment.policy for draft in drafts]
    rollout.dangerous = any(analysis["dangerous"] for analysis in analyses)
    rollout.level = max((analysis["level"] for analysis in analyses), key=LEVELS.index, default="low")
    quorum = policy.quorum(dangerous=rollout.dangerous, hazards=dangers or hazards, policies=policies)
    reason = quorum.reason if rollout.dangerous else _told_waivers(analyses) or quorum.reason
    rollout.approvals_required, rollout.approvals_reason = quorum.required, reason
    rollout.save(force_insert=True)
    for draft in drafts:
        _keep_draft(rollout, draft)
    rollout.digest_inputs = digest.plain(digest_inputs.of_rollout(rollout))
    rollout.digest = digest.of(rollout.digest_inputs)
    rollout.save(update_fields=["digest_inputs", "digest"])
    lifecycle.record(actor, "rollout.planned", rollout, {"to": rollout.to, "purpose": rollout.purpose})
    if rollout.approvals_required:
        lifecycle.advance(rollout, "awaiting_approval", actor=actor, reason=reason)
        return
    lifecycle.advance(rollout, "approved", actor=actor, reason=f"needs no approval: {reason}")
    for step in Step.objects.filter(plan__rollout=rollout):
        lifecycle.advance(step, "approved", actor=actor, reason="approved with its rollout")


def _told_waivers(analyses: Sequence[dict[str, Any]]) -> str:
    """Who took the dangers of a plan upon themselves, or "" when there are none."""
    found = {
        f"{finding['rule']} by {waiver['by']} until {waiver['expires_at'][:10]}"
        for analysis in analyses
        for finding in waivers.waived(analysis)
        for waiver in [finding["waived"], *finding["waived"]["also"]]
    }
    return f"what is dangerous in it was waived: {', '.join(sorted(found))}" if found else ""


def _keep_draft(rollout: Rollout, draft: Draft) -> None:
    plan = TargetPlan.objects.create(
        rollout=rollout,
        target=draft.target,
        wave=draft.wave,
        from_heads=list(draft.from_heads),
        to_heads=list(draft.to_heads),
        system_identifier=draft.identity.system_identifier,
        database_oid=draft.identity.database_oid,
        fingerprint=draft.fingerprint,
        expected_heads=list(draft.from_heads),
        expected_fingerprint=draft.fingerprint,
    )
    position = 0
    for row, analysis in zip(draft.revisions, draft.analyses, strict=True):
        up = draft.direction == "up"
        Step.objects.create(
            plan=plan,
            position=position,
            kind="revision",
            direction=draft.direction,
            revision=row,
            statements=row.statements if up else row.down_statements,
            autocommit=row.autocommit if up else row.down_autocommit,
            opaque=row.opaque if up else row.down_opaque,
            analysis=analysis,
        )
        position += 1
        if row.backfill and up:
            Step.objects.create(plan=plan, position=position, kind="backfill", revision=row)
            position += 1
