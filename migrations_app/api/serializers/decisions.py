"""Decisions on a rollout or a backfill: what is asked for, what was given, and whether the caller may decide."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from rest_framework import serializers

from migrations_app.api.serializers.strict import Instant, Shape, Strict
from migrations_app.engines import policy
from migrations_app.models import Backfill, Rollout


class DecisionIn(Strict):
    digest = serializers.CharField(max_length=80, help_text="what was looked at: the decision is for this and no other")
    comment = serializers.CharField(allow_blank=True, default="", max_length=10_000)
    confirm = serializers.CharField(allow_blank=True, default="", help_text="a target's name, typed by the person")


class RejectionIn(Strict):
    digest = serializers.CharField(max_length=80)
    comment = serializers.CharField(allow_blank=True, default="", max_length=10_000, help_text="needed")


class Given(Shape):
    by = serializers.CharField(source="approver.username")
    decision = serializers.CharField()
    comment = serializers.CharField()
    at = Instant()


class Approvals(Shape):
    required = serializers.IntegerField()  # type: ignore[assignment]  # DRF takes declared fields off the class
    reason = serializers.CharField(help_text="why so many")
    given = Given(many=True)
    may_approve = serializers.BooleanField(help_text="whether the caller may decide on it now")
    why_not = serializers.CharField()
    expires_at = Instant(allow_null=True)


def approvals_of(row: Rollout | Backfill, decision: policy.Decision) -> dict[str, Any]:
    """The `approvals` of an answer; `decision` is the stage's, for the caller."""
    return {
        "required": row.approvals_required,
        "reason": row.approvals_reason,
        "given": Given(row.approvals.select_related("approver"), many=True).data,
        "may_approve": decision.allowed,
        "why_not": "" if decision.allowed else decision.reason,
        "expires_at": Instant().to_representation(row.expires_at) if row.expires_at else None,
    }


def page_of(row: Rollout | Backfill) -> str:
    """Where a person decides."""
    return f"{settings.TIDEGATE_BASE_URL}/{row._meta.model_name}s/{row.pk}/"


class Waiting(Shape):
    """One thing that waits for the caller's decision."""

    kind = serializers.CharField(source="_meta.model_name", help_text="rollout | backfill")
    id = serializers.CharField()
    purpose = serializers.CharField()
    author = serializers.CharField(source="author.username")
    reason = serializers.CharField()
    digest = serializers.CharField()
    level = serializers.SerializerMethodField()
    created_at = Instant()
    approval_url = serializers.SerializerMethodField()

    def get_level(self, row: Rollout | Backfill) -> str:
        return row.level if isinstance(row, Rollout) else str(row.analysis.get("level", ""))

    def get_approval_url(self, row: Rollout | Backfill) -> str:
        return page_of(row)
