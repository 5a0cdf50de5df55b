"""From "bring these targets there" to a plan with a digest: what would run on each, exactly, and what it risks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from django.db import transaction
from django.db.models.functions import Now

from migrations_app import lifecycle
from migrations_app.engines import digest, history, policy, schedule, settings_check
from migrations_app.engines.postgres import catalog
from migrations_app.engines.postgres.connect import connect
from migrations_app.engines.postgres.facts import facts_for
from migrations_app.engines.postgres.fingerprint import fingerprint
from migrations_app.engines.postgres.sqlstate import classify
from migrations_app.engines.risk import verdict, waivers
from migrations_app.engines.runner import spawn
from migrations_app.engines.runner.launch import Launch
from migrations_app.errors import Conflict, Invalid, TidegateError, Unprocessable
from migrations_app.models import (
    Actor,
    Bundle,
    Project,
    Rehearsal,
    Revision,
    Rollout,
    Step,
    Target,
    TargetPlan,
    User,
    digest_inputs,
)
from migrations_app.models.rehearsals import recipe_of
from migrations_app.models.requirements import require_backfills
from migrations_app.models.secrets import address_of, scratch_server
from migrations_app.models.status import RolloutStatus
from migrations_app.models.waivers import weigh

WORKER = Actor.system("worker")
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
    rehearsal: Rehearsal | None

    @property
    def names(self) -> list[str]:
        return [row.revision for row in self.revisions]

    @property
    def must_be_rehearsed(self) -> bool:
        """The policy asks for it. A downgrade never is: its plan asks for a person instead."""
        return bool(self.target.environment.policy.get("require_rehearsal"))

    @property
    def lacks_rehearsal(self) -> bool:
        if not self.must_be_rehearsed or self.direction != "up":
            return False
        return self.rehearsal is None or bool(self.rehearsal.refusal(self.names))


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
    chosen = Target.objects.chosen(project, targets, selector)
    _refuse_busy(chosen)
    by_slug = {target.slug: target for target in chosen}
    by_wave = [[by_slug[slug] for slug in wave] for wave in schedule.waves(list(by_slug), waves)]
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


def sweep() -> list[str]:
    """Every rollout that waited for rehearsals which have ended by now."""
    waited = Rollout.objects.filter(status=RolloutStatus.PLANNING, plans__rehearsal__isnull=False)
    open_ones = ("waiting", "running")
    return list(waited.exclude(plans__rehearsal__status__in=open_ones).distinct().values_list("pk", flat=True))


def complete(*, rollout_id: str) -> None:
    """Plans once more what waited for its rehearsals, with what they found; or ends it with why not. Safe to repeat."""
    rollout = Rollout.objects.select_related("project", "bundle", "author").get(pk=rollout_id)
    plans = rollout.plans.select_related("rehearsal__target").order_by("wave", "target__slug")
    rehearsals = [plan.rehearsal for plan in plans if plan.rehearsal is not None]
    if rollout.status != RolloutStatus.PLANNING or not all(row.is_final for row in rehearsals):
        return
    drafts: list[Draft] = []
    why = next(filter(None, map(_why_not, rehearsals)), "")
    if not why:
        try:
            drafts = _drafts(rollout, _places(rollout), rollout.to)
        except TidegateError as error:
            why = error.detail
        except psycopg.Error as error:
            why = classify(error).advice
    with transaction.atomic():
        # Two workers may be here: one finds the plan complete. Whoever cancels it waits, and then finds it complete.
        row = Rollout.objects.select_for_update().get(pk=rollout.pk)
        if row.status != RolloutStatus.PLANNING:
            return
        if why:
            _give_up(row, why)
            return
        row.plans.all().delete()
        _keep(row, drafts, WORKER)


def _why_not(rehearsal: Rehearsal) -> str:
    if rehearsal.status == "failed":
        return f"it could not be rehearsed on a copy of {rehearsal.target}'s schema: {rehearsal.reason}"
    return rehearsal.refusal(rehearsal.revisions)


def _places(rollout: Rollout) -> list[list[Target]]:
    """The targets by wave, as they were proposed."""
    rows = Target.objects.select_related("environment", "project").filter(plans__rollout=rollout)
    by_slug = {target.slug: target for target in rows}
    return [[by_slug[slug] for slug in wave if slug in by_slug] for wave in rollout.parameters["waves"]]


def _give_up(rollout: Rollout, why: str) -> None:
    lifecycle.advance(rollout, "failed", actor=WORKER, reason=why, finished_at=Now())
    for step in Step.objects.filter(plan__rollout=rollout):
        lifecycle.advance(step, "cancelled", actor=WORKER, reason=why, finished_at=Now())


def _refuse_busy(targets: Sequence[Target]) -> None:
    busy = TargetPlan.objects.filter(target__in=targets, rollout__status__in=("scheduled", "running", "paused"))
    if plan := busy.select_related("target", "rollout").first():
        raise Conflict(
            f"{plan.target} is being worked on by rollout {plan.rollout_id} ({plan.rollout.status}). "
            "Wait for it, or cancel it.",
            code="busy",
        )


def _bundle(project: Project) -> Bundle:
    if project.bundle is None:
        raise Unprocessable(f"{project} has no files yet: upload a bundle, or give it a folder.", code="no_bundle")
    return project.bundle


def _open(target: Target) -> psycopg.Connection:
    return connect(address_of(target), application_name="tidegate:plan", statement_timeout_ms=15_000)


def _drafts(rollout: Rollout, by_wave: Sequence[Sequence[Target]], to: str) -> list[Draft]:
    """Asks each target where it is, Alembic once for all what it would run, and the risk engine what that does."""
    bundle = rollout.bundle
    launch, folder = Launch.from_json(rollout.project.launch), bundle.unpack()
    places = [(target, wave) for wave, members in enumerate(by_wave) for target in members]
    currents = []
    for target, _ in places:
        with _open(target) as conn:
            currents.append(bundle.heads_on(conn))
    destination, direction = launch.destination(to)
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
        require_backfills(conn, target, current, revisions, bundle)
        schema = fingerprint(conn).sha256
        rehearsal = None
        if short == "up":
            rehearsal = Rehearsal.objects.holding(
                bundle,
                recipe_of(rollout.project.launch),
                fingerprint=schema,
                from_heads=current,
                revisions=[row.revision for row in revisions],
            )
        analyses = _analyses(conn, revisions, short, rehearsal)
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
        fingerprint=schema,
        direction=short,
        revisions=revisions,
        analyses=tuple(weigh(analyses, revisions, short, target, rollout.author_id)),
        rehearsal=rehearsal,
    )


def _analyses(
    conn: psycopg.Connection, revisions: Sequence[Revision], direction: str, rehearsal: Rehearsal | None
) -> list[dict[str, Any]]:
    """The analysis of each revision, in order: what an earlier one creates, renames or drops is known to the later."""
    version = conn.info.server_version
    seen = [rehearsal.of(row.revision, server_version=version) if rehearsal else None for row in revisions]
    parts = [row.to_judge(direction, rehearsed) for row, rehearsed in zip(revisions, seen, strict=True)]
    facts = facts_for(conn, [part.as_sent() for part in parts])
    return [analysis.to_json() for analysis in verdict.analyse_each(parts, facts=facts)]


def _keep(rollout: Rollout, drafts: Sequence[Draft], actor: Actor) -> None:
    """Keeps the plan. What the policy wants rehearsed first stays `planning`; else it is decided who must approve."""
    analyses = [analysis for draft in drafts for analysis in draft.analyses]
    rollout.dangerous = any(analysis["dangerous"] for analysis in analyses)
    rollout.level = max((analysis["level"] for analysis in analyses), key=LEVELS.index, default="low")
    lacking = [draft for draft in drafts if draft.lacks_rehearsal]
    if lacking:
        names = ", ".join(draft.target.slug for draft in lacking)
        rollout.reason = f"is being rehearsed on a copy of {names}'s schema"
        rollout.save()
        for draft in drafts:
            _keep_draft(rollout, draft, _asked(rollout, draft, actor) if draft in lacking else draft.rehearsal)
        lifecycle.record(actor, "rollout.rehearsing", rollout, {"to": rollout.to, "purpose": rollout.purpose})
        return
    quorum, reason = _quorum(rollout, drafts, analyses)
    rollout.approvals_required, rollout.approvals_reason = quorum, reason
    rollout.save()
    for draft in drafts:
        _keep_draft(rollout, draft, draft.rehearsal)
    rollout.digest_inputs = digest.plain(digest_inputs.of_rollout(rollout))
    rollout.digest = digest.of(rollout.digest_inputs)
    rollout.save(update_fields=["digest_inputs", "digest"])
    lifecycle.record(actor, "rollout.planned", rollout, {"to": rollout.to, "purpose": rollout.purpose})
    if quorum:
        lifecycle.advance(rollout, "awaiting_approval", actor=actor, reason=reason)
        return
    lifecycle.advance(rollout, "approved", actor=actor, reason=f"needs no approval: {reason}")
    for step in Step.objects.filter(plan__rollout=rollout):
        lifecycle.advance(step, "approved", actor=actor, reason="approved with its rollout")


def _quorum(rollout: Rollout, drafts: Sequence[Draft], analyses: Sequence[dict[str, Any]]) -> tuple[int, str]:
    """How many people must approve, and why so many."""
    hazards = sorted({hazard for analysis in analyses for hazard in analysis["hazards"]})
    dangers = sorted({rule for analysis in analyses for rule in waivers.open_rules(analysis)})
    if any(draft.must_be_rehearsed and draft.direction == "down" for draft in drafts):
        dangers.append("a downgrade, which cannot be rehearsed")
    policies = [draft.target.environment.policy for draft in drafts]
    is_asked = rollout.dangerous or bool(dangers)
    found = policy.quorum(dangerous=is_asked, hazards=dangers or hazards, policies=policies)
    return found.required, found.reason if is_asked else waivers.told(analyses) or found.reason


def _asked(rollout: Rollout, draft: Draft, actor: Actor) -> Rehearsal:
    """The rehearsal that the draft waits for: a new one, or one that is on its way."""
    scratch_server()
    row, is_new = Rehearsal.objects.wanted(
        draft.target,
        rollout.bundle,
        recipe_of(rollout.project.launch),
        fingerprint=draft.fingerprint,
        from_heads=draft.from_heads,
        revisions=draft.names,
    )
    if is_new:
        told = {"target": draft.target.slug, "to": rollout.to, "rollout": rollout.pk}
        lifecycle.record(actor, "rehearsal.asked", row, told)
        lifecycle.hint("rehearse", row.pk)
    return row


def _keep_draft(rollout: Rollout, draft: Draft, rehearsal: Rehearsal | None) -> None:
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
        rehearsal=rehearsal,
        rehearsal_digest=rehearsal.digest if rehearsal else "",
    )
    position = 0
    for row, analysis in zip(draft.revisions, draft.analyses, strict=True):
        shown = _shown(row, draft)
        Step.objects.create(
            plan=plan,
            position=position,
            kind="revision",
            direction=draft.direction,
            revision=row,
            analysis=analysis,
            **shown,
        )
        position += 1
        if row.backfill and draft.direction == "up":
            Step.objects.create(plan=plan, position=position, kind="backfill", revision=row)
            position += 1


def _shown(row: Revision, draft: Draft) -> dict[str, Any]:
    """What the step runs: rendered without a database, or, of what cannot be, as a rehearsal recorded all of it."""
    if draft.direction == "down":
        return {"statements": row.down_statements, "autocommit": row.down_autocommit, "opaque": row.down_opaque}
    version = draft.identity.server_version
    seen = draft.rehearsal.of(row.revision, server_version=version) if draft.rehearsal else None
    if row.opaque and seen is not None and seen.resolved:
        sent = [each for each in seen.up if not each.dynamic]  # what a block puts together is run by the block
        return {
            "statements": [each.sql for each in sent],
            "autocommit": [each.autocommit for each in sent],
            "recorded": True,
        }
    return {"statements": row.statements, "autocommit": row.autocommit, "opaque": row.opaque}
