"""Backfills: declared, watched, adjusted."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from migrations_app.api.serializers.decisions import Approvals, page_of
from migrations_app.api.serializers.strict import Instant, Number, Shape, Strict
from migrations_app.api.serializers.targets import one_of
from migrations_app.models import Backfill, Target


class Adjustment(Strict):
    max_lag_s = Number(min_value=0.1, max_value=3600, required=False)
    chunk_ms = serializers.IntegerField(min_value=1, max_value=60_000, required=False)
    workers = serializers.IntegerField(min_value=1, max_value=64, required=False)


class BackfillIn(Adjustment):
    target = one_of("target", Target.objects.select_related("environment", "project"), "slug")
    table = serializers.CharField(max_length=200, help_text="schema.table, or table")
    set = serializers.DictField(child=serializers.CharField(), allow_empty=False, help_text="column: SQL expression")
    where = serializers.CharField(required=False, allow_blank=True, help_text="SQL; which rows are still to do")
    key = serializers.ListField(child=serializers.CharField(), required=False, allow_null=True)
    reason = serializers.CharField(max_length=10_000, help_text="why you want it; the approver reads it")


class Throttle(Shape):
    active = serializers.BooleanField()
    reason = serializers.CharField(help_text="what holds it back; empty when nothing does")


class BackfillRow(Shape):
    """A backfill in a list."""

    id = serializers.CharField()
    target = serializers.CharField(source="target.slug")
    author = serializers.CharField(source="author.username")
    table = serializers.CharField()
    set = serializers.DictField(child=serializers.CharField())
    where = serializers.CharField()
    key = serializers.ListField(child=serializers.CharField(), allow_null=True)
    purpose = serializers.CharField()
    status = serializers.CharField(
        help_text="declared | awaiting_approval | approved | running | pausing | paused | cancelling | verifying"
        " | verified | failed | cancelled | rejected | stale"
    )
    final = serializers.BooleanField(source="is_final")
    reason = serializers.CharField(help_text="why it is in this status, in words")
    digest = serializers.CharField()
    rollout = serializers.CharField(source="step.plan.rollout_id", allow_null=True, default=None)
    rows_done = serializers.IntegerField(help_text="rows changed")
    rows_scanned = serializers.IntegerField(help_text="rows passed, changed or not")
    rows_estimated = serializers.IntegerField(help_text="rows to pass")
    fraction = serializers.FloatField(allow_null=True, help_text="0 to 1; null while nothing is known")
    rows_per_s = serializers.FloatField(allow_null=True)
    eta_s = serializers.FloatField(allow_null=True, help_text="seconds left, the upper end of the estimate")
    chunk_rows = serializers.IntegerField()
    lag_s = serializers.FloatField(allow_null=True, help_text="of the slowest replica; null while unknown")
    throttle = serializers.SerializerMethodField()
    guarantee = serializers.CharField(help_text="exactly_once | at_least_once")
    remaining_rows = serializers.IntegerField(allow_null=True, help_text="counted at the end")
    workers = serializers.IntegerField()
    chunk_ms = serializers.IntegerField()
    max_lag_s = serializers.FloatField()
    created_at = Instant()
    started_at = Instant(allow_null=True)
    finished_at = Instant(allow_null=True)
    approval_url = serializers.SerializerMethodField()

    def get_throttle(self, row: Backfill) -> dict[str, Any]:
        return {"active": bool(row.throttle_reason), "reason": row.throttle_reason}

    def get_approval_url(self, row: Backfill) -> str:
        return page_of(row)


class BackfillOut(BackfillRow):
    """A backfill with its verdict, and what the caller may decide."""

    analysis = serializers.DictField()
    approvals = Approvals(source="*")
    links = serializers.DictField(child=serializers.CharField())

    def to_representation(self, instance: Backfill) -> dict[str, Any]:
        """`context` holds what concerns more than this row: "approvals" and "links"."""
        return {**BackfillRow(instance).data, "analysis": instance.analysis, **self.context}


class SampleOut(Shape):
    at = Instant()
    rows_done = serializers.IntegerField()
    rows_per_s = serializers.FloatField(allow_null=True)
    lag_s = serializers.FloatField(allow_null=True)
    chunk_rows = serializers.IntegerField()
    throttled = serializers.BooleanField()
