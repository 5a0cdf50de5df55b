"""The shape of every refusal (RFC 9457)."""

from __future__ import annotations

from rest_framework import serializers

from migrations_app.api.serializers.strict import Shape


class ProblemField(Shape):
    pointer = serializers.CharField(help_text="JSON pointer to the wrong field; empty for the body as a whole")
    detail = serializers.CharField()


class Problem(Shape):
    type = serializers.CharField(help_text="urn:tidegate:problem:<code>")
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField(help_text="what happened here, and what to do next")
    code = serializers.CharField(help_text="what a client branches on; it never changes")
    request_id = serializers.CharField(help_text="finds the request in the log and in the audit")
    errors = ProblemField(many=True)  # type: ignore[assignment]  # DRF takes declared fields off the class
