"""Projects, bundles and revisions."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from rest_framework import serializers

from controlplane.logs import redact
from migrations_app.api.serializers.strict import Instant, Name, Shape, Strict
from migrations_app.models import Project, Revision


class Source(Strict):
    kind = serializers.CharField(help_text="path | git | bundle")
    path = serializers.CharField(required=False, help_text="the folder that holds alembic.ini, as an absolute path")
    url = serializers.CharField(required=False)
    ref = serializers.CharField(required=False)


class UrlRecipe(Strict):
    env = serializers.ListField(child=serializers.CharField(), required=False)
    ini = serializers.BooleanField(required=False, help_text="sqlalchemy.url of the ini is set")
    x_arg = serializers.CharField(required=False, allow_null=True)
    driver = serializers.CharField(required=False, allow_null=True)


class Texts(serializers.ListField):
    child = serializers.CharField(allow_blank=True, trim_whitespace=False)


class NamedTexts(serializers.DictField):
    child = serializers.CharField(allow_blank=True, trim_whitespace=False)


class Recipe(Strict):
    """How the project's own Python is started. What is left out takes its default."""

    python = Texts(required=False, help_text="argv of the project's interpreter")
    alembic_ini = serializers.CharField(required=False)
    ini_section = serializers.CharField(required=False)
    script_location = serializers.CharField(required=False, allow_null=True)
    url = UrlRecipe(required=False)
    env = NamedTexts(required=False)
    x_args = Texts(required=False)
    files = NamedTexts(required=False)
    working_dir = serializers.CharField(required=False, allow_null=True)
    hook = serializers.CharField(required=False, allow_null=True, trim_whitespace=False)
    version_table = serializers.CharField(required=False)
    version_table_schema = serializers.CharField(required=False, allow_null=True)
    upgrade_to = Texts(required=False)


class ProjectChange(Recipe):
    name = serializers.CharField(max_length=200, required=False)
    source = Source(required=False)  # type: ignore[assignment]  # DRF takes declared fields off the class


class ProjectIn(ProjectChange):
    slug = Name()
    source = Source()


class ProjectOut(Recipe):
    slug = serializers.CharField()
    name = serializers.CharField()
    source = Source()  # type: ignore[assignment]  # DRF takes declared fields off the class
    bundle = serializers.CharField(allow_null=True, help_text="digest of the files that runs start from")
    heads = Texts()
    created_at = Instant()

    def to_representation(self, instance: Project) -> dict[str, Any]:
        bundle = instance.bundle
        return {
            "slug": instance.slug,
            "name": instance.name,
            "source": _without_user(instance.source),
            **{name: value for name, value in instance.launch.items() if name in self.fields},
            "env": {name: redact(value) for name, value in instance.launch.get("env", {}).items()},
            "bundle": bundle.digest if bundle else None,
            "heads": bundle.heads if bundle else [],
            "created_at": Instant().to_representation(instance.created_at),
        }


class BundleOut(Shape):
    digest = serializers.CharField()
    revisions = serializers.IntegerField(source="revisions.count", help_text="how many")
    heads = Texts()
    created_at = Instant()


class RevisionOut(Shape):
    revision = serializers.CharField()
    down_revisions = Texts()
    depends_on = Texts()
    branch_labels = Texts()
    message = serializers.CharField()
    path = serializers.CharField()
    sha256 = serializers.CharField()
    is_head = serializers.BooleanField()
    level = serializers.CharField(
        source="analysis.level", allow_null=True, default=None, help_text="low to critical; from the SQL alone"
    )
    dangerous = serializers.BooleanField(source="analysis.dangerous", allow_null=True, default=None)
    findings = serializers.SerializerMethodField()
    sql = serializers.SerializerMethodField(help_text="exactly what runs, where that can be known before")
    opaque = serializers.CharField(help_text="why its SQL cannot be known before it runs; else empty")
    backfill = serializers.JSONField(allow_null=True)
    requires = serializers.JSONField(allow_null=True)
    source = serializers.CharField()  # type: ignore[assignment]  # DRF takes declared fields off the class

    def get_findings(self, row: Revision) -> list[dict[str, Any]]:
        return findings_of(row.analysis)

    def get_sql(self, row: Revision) -> str:
        return "\n".join(row.statements)


def findings_of(analysis: dict[str, Any] | None) -> list[dict[str, Any]]:
    """All findings of an analysis: of the revision as a whole, then in the order of its statements."""
    found = analysis or {}
    of_statements = [finding for statement in found.get("statements", []) for finding in statement["findings"]]
    return [*found.get("findings", []), *of_statements]


def _without_user(source: dict[str, Any]) -> dict[str, Any]:
    """A source as it may be shown: a URL may carry a token where the user name stands."""
    if "url" not in source:
        return source
    parts = urlsplit(source["url"])
    return {**source, "url": parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()}
