"""Rollouts: what is proposed, where it stands, and the plan with its exact SQL."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from migrations_app.api.serializers.decisions import Approvals, page_of
from migrations_app.api.serializers.projects import findings_of
from migrations_app.api.serializers.rehearsals import RehearsedRevision
from migrations_app.api.serializers.strict import Instant, Shape, Strict
from migrations_app.api.serializers.targets import project_field
from migrations_app.models import Rollout, Step


class Selector(Strict):
    environment = serializers.CharField(required=False)
    labels = serializers.DictField(child=serializers.CharField(), required=False)


class RolloutIn(Strict):
    project = project_field()
    targets = serializers.ListField(child=serializers.CharField(), required=False, help_text="slugs; or a selector")
    selector = Selector(required=False)
    to = serializers.CharField(default="head", help_text="head | a revision | +n | -n")
    waves = serializers.ListField(
        child=serializers.ListField(child=serializers.CharField()), required=False, help_text="slugs, wave by wave"
    )
    failure_budget = serializers.IntegerField(min_value=0, max_value=500, default=0)
    soak_s = serializers.IntegerField(min_value=0, max_value=7 * 86_400, default=0, help_text="pause between waves")
    not_before = Instant(required=False, allow_null=True)
    reason = serializers.CharField(max_length=10_000, help_text="why you want it; the approver reads it")


class StepOut(Shape):
    target = serializers.CharField(source="plan.target.slug")
    kind = serializers.CharField(help_text="revision | backfill")
    revision = serializers.CharField(source="revision.revision")
    message = serializers.CharField(source="revision.message")
    status = serializers.CharField()
    reason = serializers.CharField()
    started_at = Instant(allow_null=True)
    finished_at = Instant(allow_null=True)


class RolloutRow(Shape):
    """A rollout in a list."""

    id = serializers.CharField()
    project = serializers.CharField(source="project.slug")
    author = serializers.CharField(source="author.username")
    to = serializers.CharField()
    status = serializers.CharField(
        help_text="planning | awaiting_approval | approved | scheduled | running | paused | succeeded | failed"
        " | cancelled | rejected | stale"
    )
    final = serializers.BooleanField(source="is_final")
    reason = serializers.CharField(help_text="why it is in this status, in words")
    digest = serializers.CharField()
    dangerous = serializers.BooleanField()
    level = serializers.CharField()
    purpose = serializers.CharField(help_text="why its author wants it")
    not_before = Instant(allow_null=True)
    created_at = Instant()
    started_at = Instant(allow_null=True)
    finished_at = Instant(allow_null=True)
    approval_url = serializers.SerializerMethodField(help_text="the page on which a person decides")

    def get_approval_url(self, row: Rollout) -> str:
        return page_of(row)


class RolloutOut(RolloutRow):
    """A rollout with its steps, and what the caller may decide."""

    approvals = Approvals(source="*")
    steps = StepOut(many=True)
    links = serializers.DictField(child=serializers.CharField())

    def to_representation(self, instance: Rollout) -> dict[str, Any]:
        """`context` holds what concerns more than this row: "approvals", "steps" and "links"."""
        return {**RolloutRow(instance).data, **self.context}


class StepRehearsal(RehearsedRevision):
    """Only `done` when its plan was not judged by a rehearsal."""

    done = serializers.BooleanField()
    id = serializers.CharField(required=False)
    target = serializers.CharField(required=False, help_text="whose schema was copied: one with the same fingerprint")
    recorded = serializers.BooleanField(required=False, help_text="`sql` is what it recorded, as nothing else knows it")


class PlannedStep(Shape):
    kind = serializers.CharField()
    direction = serializers.CharField(help_text="up | down")
    revision = serializers.CharField(source="revision.revision")
    message = serializers.CharField(source="revision.message")
    sql = serializers.ListField(child=serializers.CharField(), source="statements")
    findings = serializers.SerializerMethodField()
    level = serializers.CharField(source="analysis.level", allow_null=True, default=None)
    dangerous = serializers.BooleanField(source="analysis.dangerous", allow_null=True, default=None)
    locks = serializers.SerializerMethodField()
    opaque = serializers.CharField(help_text="why its SQL cannot be known before it runs; else empty")
    estimate_s = serializers.FloatField(
        source="analysis.estimate_s", allow_null=True, default=None, help_text="null: nobody has measured it"
    )
    rehearsal = serializers.SerializerMethodField()
    backfill = serializers.SerializerMethodField(help_text="what a backfill step does: table, set, where")

    def get_findings(self, step: Step) -> list[dict[str, Any]]:
        return findings_of(step.analysis)

    def get_locks(self, step: Step) -> list[dict[str, Any]]:
        return [
            {"lock": item["lock"], "tables": item["tables"], "rewrite": item["rewrite"], "scan": item["scan"]}
            for item in step.analysis.get("statements", [])
            if item.get("lock")
        ]

    @extend_schema_field(StepRehearsal)
    def get_rehearsal(self, step: Step) -> dict[str, Any]:
        """`done`: the plan was judged by it."""
        row, is_done = step.plan.rehearsal, bool(step.analysis.get("rehearsed"))
        if row is None or not is_done:
            return {"done": False}
        seen = row.of(step.revision.revision, server_version=step.plan.target.server_version)
        if seen is None or step.kind != "revision":
            return {"done": False}
        return {"done": is_done, "id": row.pk, "target": row.target.slug, "recorded": step.recorded, **seen.told()}

    def get_backfill(self, step: Step) -> dict[str, Any] | None:
        return step.revision.backfill if step.kind == "backfill" else None


class TargetPlanOut(Shape):
    target = serializers.CharField(source="target.slug")
    wave = serializers.IntegerField()
    to = serializers.ListField(child=serializers.CharField(), source="to_heads")
    fingerprint = serializers.CharField(help_text="of the schema that was planned against")
    steps = PlannedStep(source="steps.all", many=True)

    def get_fields(self) -> dict[str, Any]:
        # "from" cannot be the name of an attribute in Python.
        heads = serializers.ListField(child=serializers.CharField(), source="from_heads")
        return {"from": heads, **super().get_fields()}


class PlanOut(Shape):
    digest = serializers.CharField()
    targets = TargetPlanOut(source="plans", many=True)
