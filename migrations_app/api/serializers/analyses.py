"""What is to be analysed, and the analysis (the shape that `analyse --json` prints)."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from migrations_app.api.serializers.strict import Shape, Strict
from migrations_app.api.serializers.targets import one_of, project_field
from migrations_app.models import Target


class AnalysisIn(Strict):
    """SQL, or a range of a project's revisions; a target's catalog makes it exact."""

    sql = serializers.CharField(required=False, allow_blank=True, trim_whitespace=False)
    project = project_field(required=False)
    to = serializers.CharField(required=False, help_text="the last revision; the heads when left out")
    target = one_of("target", Target.objects.select_related("project__bundle"), "slug", required=False)

    def get_fields(self) -> dict[str, Any]:
        # "from" cannot be the name of an attribute in Python.
        text = "the revision before the first; the whole history when left out"
        return {**super().get_fields(), "from": serializers.CharField(required=False, help_text=text)}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("sql" in attrs) == ("project" in attrs):
            raise serializers.ValidationError("Give either sql, or project with from and to.")
        if "sql" in attrs and {"from", "to"} & set(attrs):
            raise serializers.ValidationError("from and to belong to a project, not to sql.")
        return attrs


class AnalysisOut(Shape):
    dangerous = serializers.BooleanField(help_text="needs a human")
    level = serializers.CharField(help_text="low | medium | high | critical")
    statements = serializers.ListField(child=serializers.DictField())
    findings = serializers.ListField(child=serializers.DictField(), help_text="about revisions as a whole")
    hazards = serializers.ListField(child=serializers.CharField())
    lock = serializers.CharField(allow_null=True, help_text="the strongest lock on a table that exists")
    rewrite = serializers.BooleanField()
    opaque = serializers.ListField(child=serializers.CharField())
    facts = serializers.CharField(help_text="catalog | none")
    rehearsed = serializers.BooleanField()
    fails = serializers.DictField(allow_null=True)
    degraded = serializers.CharField(required=False, help_text="why the catalog could not be read, if so")
