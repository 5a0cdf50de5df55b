"""Rehearsals: what was tried on a copy of a target's schema, and what was found."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from migrations_app.api.serializers.strict import Instant, Shape, Strict
from migrations_app.api.waiting import LONGEST_S
from migrations_app.models import Rehearsal


class RehearsalIn(Strict):
    to = serializers.CharField(default="head", max_length=200, help_text="head | a revision | +n")
    wait = serializers.IntegerField(
        min_value=0, max_value=LONGEST_S, default=0, help_text="seconds to wait for its end before the answer"
    )


class Refusal(Shape):
    type = serializers.CharField(help_text="of the exception")
    message = serializers.CharField()
    sqlstate = serializers.CharField(allow_null=True)
    where = serializers.CharField(help_text="file:line")


class RehearsedStatement(Shape):
    sql = serializers.CharField(help_text="as it was really sent")
    locks = serializers.DictField(
        child=serializers.CharField(), help_text="the strongest on each table from before, once it was through"
    )
    rewritten = serializers.ListField(child=serializers.CharField(), help_text="tables that got a new file")
    autocommit = serializers.BooleanField(help_text="it ran outside of the transaction")
    dynamic = serializers.BooleanField(help_text="put together and run inside the server by the one before")
    sqlstate = serializers.CharField(allow_null=True)


class RehearsedRevision(Shape):
    revision = serializers.CharField()
    resolved = serializers.BooleanField(help_text="its statements are all that it can run on such a schema")
    why_not = serializers.CharField()
    reversible = serializers.BooleanField(help_text="down and up again, and no difference")
    statements = RehearsedStatement(many=True)
    down = RehearsedStatement(many=True, allow_null=True, help_text="null: its downgrade was not tried")
    differences = serializers.ListField(child=serializers.CharField(), help_text="after its downgrade, to before it")
    again_differences = serializers.ListField(
        child=serializers.CharField(), help_text="its second upgrade to its first"
    )
    up_error = Refusal(allow_null=True)
    down_error = Refusal(allow_null=True)
    again_error = Refusal(allow_null=True)


class RehearsalRow(Shape):
    """A rehearsal in a list."""

    id = serializers.CharField()
    target = serializers.CharField(source="target.slug", help_text="whose schema was copied")
    status = serializers.CharField(help_text="waiting | running | done | failed")
    final = serializers.BooleanField(source="is_final")
    reason = serializers.CharField(help_text="how it went, or why it waits or failed, in words")
    to = serializers.ListField(child=serializers.CharField(), source="to_heads")
    fingerprint = serializers.CharField(help_text="of the schema that was copied")
    notes = serializers.ListField(child=serializers.CharField(), help_text="what the copy lacks; what was not tried")
    server_version = serializers.IntegerField(allow_null=True, help_text="of the scratch server")
    duration_s = serializers.FloatField(allow_null=True)
    created_at = Instant()
    started_at = Instant(allow_null=True)
    finished_at = Instant(allow_null=True)

    def get_fields(self) -> dict[str, Any]:
        # "from" cannot be the name of an attribute in Python.
        heads = serializers.ListField(child=serializers.CharField(), source="from_heads")
        return {"from": heads, **super().get_fields()}


class RehearsalOut(RehearsalRow):
    """A rehearsal with all that it found; `revisions` is empty until it is done."""

    digest = serializers.CharField(help_text="of what was found, times left out; else empty")
    revisions = serializers.SerializerMethodField()

    def get_revisions(self, row: Rehearsal) -> list[dict[str, Any]]:
        return [each.told() for each in row.found.revisions] if row.found else []
