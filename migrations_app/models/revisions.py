"""Projects, the immutable bundles of their files, and the revisions in them."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Self

import psycopg
from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from migrations_app.engines.postgres import catalog
from migrations_app.engines.risk.rehearsed import RehearsedRevision
from migrations_app.engines.risk.revision_sql import RevisionSql
from migrations_app.engines.runner.bundle import unpack
from migrations_app.models.rows import StatusRow, new_id
from migrations_app.models.status import REVISION_EDGES, RevisionStatus


class Project(models.Model):
    """One Alembic history: where its files are and how its own Python is started (`launch`, as the API spells it)."""

    slug = models.SlugField(max_length=63, unique=True)
    name = models.CharField(max_length=200)
    source = models.JSONField()
    launch = models.JSONField(default=dict)
    bundle = models.ForeignKey("Bundle", on_delete=models.PROTECT, null=True, related_name="+")
    version = models.PositiveBigIntegerField(default=1)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["slug"]

    def __str__(self) -> str:
        return self.slug


class Bundle(models.Model):
    """A content-addressed snapshot of a project's files. Runs start from these bytes and from nothing else."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="bundles")
    digest = models.CharField(max_length=80)
    archive = models.BinaryField()
    files = models.PositiveIntegerField()
    heads = models.JSONField(default=list)
    bases = models.JSONField(default=list)
    interpreter = models.JSONField(default=dict, help_text="versions of python, alembic and sqlalchemy found")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-created_at"]
        constraints = [models.UniqueConstraint(fields=["project", "digest"], name="bundle_once_per_project")]

    def __str__(self) -> str:
        return self.digest[:19]

    def unpack(self) -> Path:
        """The verified, read-only folder of these bytes on this host; made when it is missing or was touched."""
        return unpack(bytes(self.archive), self.digest, settings.TIDEGATE_STATE_DIR / "bundles")

    def parents(self) -> dict[str, list[str]]:
        """Each revision with all that must be applied before it, in the order of an empty database."""
        rows = self.revisions.in_order().values_list("revision", "down_revisions", "depends_on")
        return {revision: [*down, *depends] for revision, down, depends in rows}

    def heads_on(self, conn: psycopg.Connection) -> tuple[str, ...]:
        """The revisions at which the target of this connection stands, sorted; none where nothing was ever run."""
        told = self.interpreter
        found = catalog.read_heads(conn, version_table=told["version_table"], schema=told["version_table_schema"])
        return found or ()


class RevisionQuerySet(models.QuerySet["Revision"]):
    def in_order(self) -> Self:
        """In the order in which Alembic would run them on an empty database."""
        return self.order_by("position")


class Revision(StatusRow):
    """One Alembic revision as it stands in one bundle."""

    EDGES = REVISION_EDGES

    id = models.CharField(primary_key=True, max_length=40, default=partial(new_id, "rev"))
    bundle = models.ForeignKey(Bundle, on_delete=models.CASCADE, related_name="revisions")
    revision = models.CharField(max_length=200)
    position = models.PositiveIntegerField()
    down_revisions = models.JSONField(default=list)
    depends_on = models.JSONField(default=list)
    branch_labels = models.JSONField(default=list)
    message = models.TextField(blank=True, default="")
    path = models.CharField(max_length=500)
    sha256 = models.CharField(max_length=64)
    source = models.TextField()
    is_head = models.BooleanField(default=False)
    statements = models.JSONField(default=list, help_text="exact SQL from offline mode, one item a statement")
    autocommit = models.JSONField(default=list, help_text="for each statement, whether it runs outside a transaction")
    opaque = models.TextField(blank=True, default="", help_text="why its SQL cannot be known before it runs")
    down_statements = models.JSONField(default=list, help_text="likewise of downgrade()")
    down_autocommit = models.JSONField(default=list)
    down_opaque = models.TextField(blank=True, default="")
    analysis = models.JSONField(null=True, help_text="what the SQL alone tells, without a target's catalog")
    backfill = models.JSONField(null=True)
    requires = models.JSONField(null=True)
    status = models.CharField(max_length=20, choices=RevisionStatus.choices, default=RevisionStatus.DISCOVERED)

    objects = RevisionQuerySet.as_manager()

    class Meta:
        ordering = ["bundle", "position"]
        constraints = [models.UniqueConstraint(fields=["bundle", "revision"], name="revision_once_per_bundle")]

    def __str__(self) -> str:
        return f"{self.revision} {self.message}".strip()

    def to_judge(self, direction: str = "up", rehearsed: RehearsedRevision | None = None) -> RevisionSql:
        """What the risk engine wants to know of it: of upgrade(), or ("down") of downgrade() alone.

        `rehearsed` is what a rehearsal of these bytes on the schema in question has seen; of upgrades only.
        """
        if direction == "down":
            return RevisionSql(
                self.revision, self.down_statements, self.down_opaque or None, autocommit=self.down_autocommit
            )
        return RevisionSql(
            self.revision,
            self.statements,
            self.opaque or None,
            autocommit=self.autocommit,
            source=self.source,
            downgrade=None if self.down_opaque else self.down_statements,
            rehearsed=rehearsed,
        )
