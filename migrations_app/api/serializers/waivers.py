"""Waivers: what is waived by whom, why and until when."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from migrations_app.api.serializers.strict import Instant, Shape, Strict
from migrations_app.api.serializers.targets import environment_field, one_of, project_field
from migrations_app.models import Revision, Rollout


class WaiverIn(Strict):
    """One danger, of a rollout's plan or of a project's revision, by its subject or by its rule."""

    rollout = one_of("rollout", Rollout.objects.all(), "id", required=False, help_text="or project and revision")
    project = project_field(required=False)
    revision = serializers.CharField(required=False, max_length=200, help_text="of the project's newest files")
    subject = serializers.CharField(
        required=False, max_length=64, help_text="of the finding; the plan shows it beside each danger"
    )
    rule = serializers.CharField(
        required=False, max_length=100, help_text="enough where only one danger has it; opaque-code: what is not seen"
    )
    environment = environment_field(required=False, allow_null=True, help_text="left out: all in which you may approve")
    reason = serializers.CharField(max_length=10_000, allow_blank=True, help_text="why this is safe; needed")
    expires_at = Instant(help_text="at most 180 days ahead")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """`of`: the rollout or the revision whose finding it is."""
        rollout, project, name = (attrs.pop(field, None) for field in ("rollout", "project", "revision"))
        if (rollout is None) == (project is None) or (project is None) != (name is None):
            raise serializers.ValidationError("Give either rollout, or project and revision.")
        if project is not None:
            rows = Revision.objects.filter(bundle=project.bundle_id).select_related("bundle__project")
            found = rows.defer("bundle__archive").filter(revision=name).first()
            if found is None:
                raise serializers.ValidationError({"revision": [f"{project} has no revision {name}."]})
            return {**attrs, "of": found}
        return {**attrs, "of": rollout}


class RevocationIn(Strict):
    reason = serializers.CharField(max_length=10_000, allow_blank=True, help_text="needed: others relied on it")


class WaiverOut(Shape):
    id = serializers.CharField()
    state = serializers.CharField(help_text="active | expired | revoked")
    project = serializers.CharField(source="project.slug")
    environment = serializers.CharField(source="environment.name", allow_null=True, default=None, help_text="null: all")
    revision = serializers.CharField()
    rule = serializers.CharField()
    subject = serializers.CharField(help_text="binds it to one finding in these very bytes of the revision")
    message = serializers.CharField(help_text="what the finding said")
    statement = serializers.CharField(help_text="its beginning; empty for a revision as a whole")
    reason = serializers.CharField()
    created_by = serializers.CharField(source="created_by.username")
    created_at = Instant()
    expires_at = Instant()
    revoked_by = serializers.CharField(source="revoked_by.username", allow_null=True, default=None)
    revoked_at = Instant(allow_null=True)
    revoke_reason = serializers.CharField()
