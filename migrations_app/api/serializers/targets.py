"""Targets, their replicas, and what a look at them shows. No answer has a URL in it."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from migrations_app.api.serializers.strict import Instant, Name, Number, Shape, Strict
from migrations_app.models import Environment, Project


def one_of(what: str, rows: Any, column: str, **kwargs: Any) -> serializers.SlugRelatedField[Any]:
    """A row by its name; one that does not exist is a wrong field."""
    field: serializers.SlugRelatedField[Any] = serializers.SlugRelatedField(
        slug_field=column, queryset=rows, error_messages={"does_not_exist": f"There is no {what} {{value}}."}, **kwargs
    )
    return field


def project_field(**kwargs: Any) -> serializers.SlugRelatedField[Any]:
    return one_of("project", Project.objects.select_related("bundle"), "slug", **kwargs)


def environment_field(**kwargs: Any) -> serializers.SlugRelatedField[Any]:
    return one_of("environment", Environment.objects.all(), "name", **kwargs)


class ReplicaIn(Strict):
    name = serializers.CharField(max_length=63)
    url = serializers.CharField(required=False, trim_whitespace=False)


class Limits(Strict):
    lock_timeout_ms = serializers.IntegerField(required=False)
    statement_timeout_ms = serializers.IntegerField(required=False)
    max_lag_s = Number(required=False)
    lock_tries = serializers.IntegerField(required=False)


class TargetChange(Strict):
    environment = environment_field(required=False)
    url = serializers.CharField(required=False, trim_whitespace=False, help_text="never answered")
    labels = serializers.DictField(child=serializers.CharField(max_length=200), required=False)
    replicas = ReplicaIn(many=True, required=False)
    limits = Limits(required=False)


class TargetIn(TargetChange):
    slug = Name()
    project = project_field()
    environment = environment_field()
    url = serializers.CharField(trim_whitespace=False, help_text="postgresql://..., env:NAME or file:PATH")


class ReplicaOut(Shape):
    name = serializers.CharField()
    state = serializers.CharField()
    lag_bytes = serializers.IntegerField(allow_null=True)
    lag_s = serializers.FloatField(allow_null=True)
    reason = serializers.CharField()


class TargetOut(Shape):
    slug = serializers.CharField()
    project = serializers.CharField(source="project.slug")
    environment = serializers.CharField(source="environment.name")
    address = serializers.CharField(help_text="the URL without its password")
    labels = serializers.DictField(child=serializers.CharField())
    replicas = ReplicaOut(source="replicas.all", many=True)
    limits = serializers.DictField()
    engine = serializers.CharField()
    server_version = serializers.IntegerField(allow_null=True)
    schema_state = serializers.CharField(
        help_text="at_head | behind | ahead | unknown_revision | drifted | unversioned | unreachable"
    )
    schema_reason = serializers.CharField()
    current = serializers.ListField(child=serializers.CharField())
    heads = serializers.ListField(child=serializers.CharField())
    pending = serializers.IntegerField(allow_null=True, help_text="revisions not applied; null while not known")
    probed_at = Instant(allow_null=True)
    created_at = Instant()


class ProbeOut(Shape):
    reachable = serializers.BooleanField()
    server_version = serializers.IntegerField(allow_null=True)
    current = serializers.ListField(child=serializers.CharField())
    schema_state = serializers.CharField()
    replicas = ReplicaOut(many=True)
    reason = serializers.CharField()


class Pending(Shape):
    revision = serializers.CharField()
    message = serializers.CharField()
    level = serializers.CharField()
    dangerous = serializers.BooleanField()
    findings = serializers.ListField(child=serializers.DictField())


class TableVolume(Shape):
    schema = serializers.CharField()
    name = serializers.CharField()
    rows = serializers.IntegerField(allow_null=True, help_text="an estimate; null: never analysed")
    bytes = serializers.IntegerField()
    index_bytes = serializers.IntegerField()
    growth_rows_per_day = serializers.FloatField(allow_null=True)
    seq_scans = serializers.IntegerField()
    idx_scans = serializers.IntegerField()
    inserted = serializers.IntegerField()
    updated = serializers.IntegerField()
    deleted = serializers.IntegerField()
    dead_rows = serializers.IntegerField()
    last_vacuum_at = Instant(allow_null=True)
    last_analyze_at = Instant(allow_null=True)
    since = Instant(allow_null=True, help_text="since when scans and changes are counted")


class Volumetrics(Shape):
    tables = TableVolume(many=True, help_text="the largest first")


class Drift(Shape):
    drifted = serializers.BooleanField(allow_null=True, help_text="null: there is nothing to compare with yet")
    expected = serializers.CharField(help_text="fingerprint that our last run left")
    found = serializers.CharField(help_text="fingerprint now")
    reason = serializers.CharField()


class Blocker(Shape):
    pid = serializers.IntegerField()
    application_name = serializers.CharField()
    state = serializers.CharField()
    age_s = serializers.FloatField(help_text="of its transaction")
    query = serializers.CharField()
    mode = serializers.CharField(help_text="the lock that others wait for")


class Waiter(Shape):
    pid = serializers.IntegerField()
    application_name = serializers.CharField()
    waits_s = serializers.FloatField()
    query = serializers.CharField()
    mode = serializers.CharField(help_text="the lock that it asks for")
    table = serializers.CharField(allow_null=True)
    blocked_by = Blocker(many=True)


class OldTransaction(Shape):
    pid = serializers.IntegerField()
    application_name = serializers.CharField()
    state = serializers.CharField()
    age_s = serializers.FloatField()
    query = serializers.CharField()


class Locks(Shape):
    waiting = Waiter(many=True, help_text="who waits for a lock, and for whom")
    old_transactions = OldTransaction(many=True, help_text="a change of a table that they used would wait for them")
