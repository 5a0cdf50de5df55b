"""Environments, targets and their replicas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from django.db import models
from django.db.models.functions import Now

from migrations_app.errors import Invalid
from migrations_app.models.rows import new_id
from migrations_app.models.status import SchemaState

if TYPE_CHECKING:
    from migrations_app.models.revisions import Project

MOST_TARGETS = 500  # of one rollout

DEFAULT_POLICY: dict[str, Any] = {
    "approvals": 1,
    "approver_groups": [],
    "allow_self_approval": False,
    "expires_h": 168,
    "freeze": [],
    "window": None,
    "require_rehearsal": False,
    "max_lag_s": 2.0,
}


def default_policy() -> dict[str, Any]:
    return dict(DEFAULT_POLICY)


class Environment(models.Model):
    """An ordered stage (dev, staging, production) with the policy that its targets stand under."""

    name = models.SlugField(max_length=63, unique=True)
    order = models.PositiveIntegerField(default=100)
    policy = models.JSONField(default=default_policy)
    policy_version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["order", "name"]

    def __str__(self) -> str:
        return self.name


class TargetQuerySet(models.QuerySet["Target"]):
    def listed(self) -> Self:
        """Targets with all that a row of a list shows, in one query each for target and replicas."""
        return self.select_related("environment", "project").prefetch_related("replicas").order_by("slug")

    def chosen(
        self, project: Project, targets: Sequence[Target] | None, selector: Mapping[str, Any] | None
    ) -> list[Target]:
        """The targets of a rollout: those that are named, or those that fit. Raises Invalid, with a pointer."""
        if (targets is None) == (selector is None):
            raise Invalid.field("/targets", "Name targets or a selector, one of the two.")
        if selector is not None:
            found = self.filter(project=project).select_related("environment")
            if selector.get("environment"):
                found = found.filter(environment__name=selector["environment"])
            fitting = found.filter(labels__contains=selector.get("labels") or {})
            targets = list(fitting.order_by("environment__order", "slug"))
            if not targets:
                raise Invalid.field("/selector", "No target fits the selector.")
        targets = targets or []
        for index, target in enumerate(targets):
            if target.project_id != project.pk:
                raise Invalid.field(f"/targets/{index}", f"{target} belongs to another project.")
        if not targets or len({target.pk for target in targets}) != len(targets) or len(targets) > MOST_TARGETS:
            raise Invalid.field("/targets", f"Name 1 to {MOST_TARGETS} different targets.")
        return list(targets)


class Target(models.Model):
    """One PostgreSQL database that Tidegate may change. Its URL is sealed; only workers and probes open it."""

    id = models.CharField(primary_key=True, max_length=40, default=partial(new_id, "tgt"))
    slug = models.SlugField(max_length=63, unique=True)
    project = models.ForeignKey("Project", on_delete=models.PROTECT, related_name="targets")
    environment = models.ForeignKey(Environment, on_delete=models.PROTECT, related_name="targets")
    labels = models.JSONField(default=dict, blank=True)
    limits = models.JSONField(default=dict, blank=True)
    url_sealed = models.TextField(help_text="sealed URL, or a reference (env:NAME, file:PATH)")
    address = models.CharField(max_length=300, help_text="the URL without its password, for people")
    engine = models.CharField(max_length=20, default="postgresql")

    system_identifier = models.CharField(max_length=40, blank=True, default="")
    database_oid = models.PositiveBigIntegerField(null=True)
    server_version = models.PositiveIntegerField(null=True)
    schema_state = models.CharField(max_length=20, choices=SchemaState.choices, default=SchemaState.UNREACHABLE)
    schema_reason = models.TextField(blank=True, default="")
    current = models.JSONField(default=list)
    heads = models.JSONField(default=list)
    pending = models.PositiveIntegerField(null=True)
    fingerprint = models.CharField(max_length=64, blank=True, default="", help_text="after the last run of ours")
    probed_at = models.DateTimeField(null=True)
    version = models.PositiveBigIntegerField(default=1)
    created_at = models.DateTimeField(db_default=Now())

    objects = TargetQuerySet.as_manager()

    class Meta:
        ordering = ["slug"]
        constraints = [
            # Two names for one database would give two locks, two plans and two truths.
            models.UniqueConstraint(
                fields=["system_identifier", "database_oid", "project"],
                condition=~models.Q(system_identifier=""),
                name="one_target_per_database_and_project",
            ),
        ]

    def __str__(self) -> str:
        return self.slug


class Replica(models.Model):
    """A standby that must keep up. The list is what we expect, not what happens to be connected."""

    id = models.CharField(primary_key=True, max_length=40, default=partial(new_id, "rep"))
    target = models.ForeignKey(Target, on_delete=models.CASCADE, related_name="replicas")
    name = models.CharField(max_length=63)
    url_sealed = models.TextField(blank=True, default="")
    address = models.CharField(max_length=300, blank=True, default="")
    state = models.CharField(max_length=20, default="unknown")
    reason = models.TextField(blank=True, default="")
    lag_bytes = models.BigIntegerField(null=True)
    lag_s = models.FloatField(null=True)
    observed_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["target", "name"], name="replica_once_per_target")]

    def __str__(self) -> str:
        return self.name
