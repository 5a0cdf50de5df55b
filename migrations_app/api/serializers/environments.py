"""Environments and their policy."""

from __future__ import annotations

from rest_framework import serializers

from migrations_app.api.serializers.strict import Instant, Name, Number, Shape, Strict


class Policy(Strict):
    """Every part is optional on the way in; an answer has them all."""

    approvals = serializers.IntegerField(required=False, help_text="how many different people for what is dangerous")
    approver_groups = serializers.ListField(
        child=serializers.CharField(), required=False, help_text="empty: every approver"
    )
    allow_self_approval = serializers.BooleanField(required=False)
    expires_h = Number(required=False, help_text="hours after which an approval no longer counts")
    freeze = serializers.ListField(child=serializers.JSONField(), required=False)
    window = serializers.JSONField(required=False, allow_null=True)
    require_rehearsal = serializers.BooleanField(required=False)
    max_lag_s = Number(required=False, help_text="replica lag, in seconds, that stops a backfill")


class EnvironmentIn(Strict):
    name = Name()
    order = serializers.IntegerField(min_value=0, max_value=1_000_000, default=100)
    policy = Policy(required=False)


class EnvironmentChange(Strict):
    order = serializers.IntegerField(min_value=0, max_value=1_000_000, required=False)
    policy = Policy(required=False)


class EnvironmentOut(Shape):
    name = serializers.CharField()
    order = serializers.IntegerField()
    policy = Policy()
    policy_version = serializers.IntegerField()
    created_at = Instant()
