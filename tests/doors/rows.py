"""Rows as the stages would have left them, for tests of what the doors make of them."""

from __future__ import annotations

import secrets
from typing import Any

from migrations_app.engines import digest
from migrations_app.engines.risk.rehearsed import Rehearsal as Rehearsed
from migrations_app.engines.risk.rehearsed import RehearsedRevision
from migrations_app.models import (
    Backfill,
    Bundle,
    Environment,
    Project,
    Rehearsal,
    Replica,
    Revision,
    Rollout,
    Step,
    Target,
    TargetPlan,
    User,
    digest_inputs,
)

FINDING = {"rule": "drop-table", "severity": "danger", "message": "drops it", "why": "it is gone", "safe_way": "wait"}
STATEMENT = {
    "index": 0,
    "line": 1,
    "sql": "DROP TABLE old",
    "kind": "drop_table",
    "tables": ["old"],
    "lock": "ACCESS EXCLUSIVE",
    "rewrite": False,
    "scan": False,
    "findings": [FINDING],
}
DANGEROUS = {"dangerous": True, "level": "critical", "hazards": ["drop-table"], "statements": [STATEMENT]}

HARMLESS = {"dangerous": False, "level": "low", "hazards": [], "statements": []}


def environment(name: str, **fields: Any) -> Environment:
    return Environment.objects.create(name=name, **fields)


def project(slug: str) -> Project:
    """A project with a bundle of two revisions, the second of which drops a table."""
    row = Project.objects.create(
        slug=slug, name=slug, source={"kind": "path", "path": "/srv/shop"}, launch={"python": ["python"]}
    )
    told = {"version_table": "alembic_version", "version_table_schema": None}
    bundle = Bundle.objects.create(
        project=row, digest=f"sha256:{slug}", archive=b"", files=2, heads=["b2"], interpreter=told
    )
    for position, (name, sql) in enumerate([("a1", "CREATE TABLE old (id int)"), ("b2", "DROP TABLE old")]):
        Revision.objects.create(
            bundle=bundle,
            revision=name,
            position=position,
            path=f"versions/{name}.py",
            sha256=name,
            source="...",
            down_revisions=["a1"] if name == "b2" else [],
            is_head=name == "b2",
            statements=[sql],
            analysis=DANGEROUS if name == "b2" else HARMLESS,
        )
    row.bundle = bundle
    row.save()
    return row


def target(slug: str, project: Project, environment: Environment, **fields: Any) -> Target:
    row = Target.objects.create(
        slug=slug,
        project=project,
        environment=environment,
        url_sealed="env:TIDEGATE_TARGET_NONE",
        address="postgresql://app@db/shop",
        **fields,
    )
    Replica.objects.create(target=row, name="r1", state="streaming", lag_bytes=0, lag_s=0.0)
    return row


def rehearsal(target: Target, *found: RehearsedRevision, status: str = "done", **fields: Any) -> Rehearsal:
    """One that has found this."""
    bundle = target.project.bundle
    assert bundle is not None
    result = Rehearsed(found, server_version=180006, target_version=180006, fingerprint="f1", duration_s=1.5)
    return Rehearsal.objects.create(
        key=f"sha256:{secrets.token_hex(8)}",
        bundle=bundle,
        target=target,
        fingerprint="f1",
        from_heads=["a1"],
        to_heads=["b2"],
        revisions=[each.revision for each in found],
        status=status,
        result=result.to_json() if status == "done" else None,
        **fields,
    )


def rollout(author: User, *targets: Target, status: str = "awaiting_approval", **fields: Any) -> Rollout:
    """One dangerous step on each target."""
    project = targets[0].project
    row = Rollout.objects.create(
        project=project,
        bundle=project.bundle,
        author=author,
        to="head",
        purpose="tidy up",
        status=status,
        digest="sha256:plan",
        dangerous=True,
        level="critical",
        approvals_required=1,
        **fields,
    )
    for place in targets:
        plan = TargetPlan.objects.create(rollout=row, target=place, database_oid=1, from_heads=["a1"], to_heads=["b2"])
        revision = project.bundle.revisions.get(revision="b2")
        Step.objects.create(
            plan=plan,
            position=0,
            kind="revision",
            revision=revision,
            statements=revision.statements,
            analysis=DANGEROUS,
            status="planned" if status == "awaiting_approval" else "approved",
        )
    return row


def backfill(author: User, target: Target, *, status: str = "awaiting_approval", **fields: Any) -> Backfill:
    return Backfill.objects.create(
        author=author,
        target=target,
        purpose="fill it",
        table="orders",
        set={"total_cents": "total * 100"},
        status=status,
        digest="sha256:fill",
        approvals_required=1,
        **fields,
    )


def approved_by(approver: User, row: Rollout) -> Rollout:
    """The rollout as an approval of what really stands in its rows leaves it: a start looks at that again."""
    row.digest_inputs = digest.plain(digest_inputs.of_rollout(row))
    row.digest = digest.of(row.digest_inputs)
    row.save(update_fields=["digest", "digest_inputs"])
    row.approvals.create(digest=row.digest, decision="approve", approver=approver)
    return row
