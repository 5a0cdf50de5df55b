"""Entries of the audit, and the verdict on its chain."""

from __future__ import annotations

from rest_framework import serializers

from migrations_app.api.serializers.strict import Instant, Shape


class AuditEntry(Shape):
    seq = serializers.IntegerField()
    at = Instant()
    actor = serializers.CharField()
    actor_kind = serializers.CharField(help_text="person | machine | system")
    via = serializers.CharField()
    action = serializers.CharField()
    object_type = serializers.CharField()
    object_id = serializers.CharField()
    outcome = serializers.CharField(help_text="done | denied")
    request_id = serializers.CharField()
    digest = serializers.CharField()
    payload = serializers.DictField()
    prev_hash = serializers.CharField()
    hash = serializers.CharField()


class ChainVerdict(Shape):
    ok = serializers.BooleanField()
    checked = serializers.IntegerField(help_text="entries that fit, from the first")
    first_bad = serializers.IntegerField(allow_null=True, help_text="the first entry that does not fit")
    reason = serializers.CharField()
