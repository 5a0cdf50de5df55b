"""`/metrics`: numbers out of the rows at the moment of the scrape, so that no restart of a worker loses any.

No series is labelled with an id: their number grows with targets, not with what is done.
"""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from typing import Any

from django.db.models import Count, Min, Sum
from django.db.models.functions import Extract, Now
from django.utils import timezone
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric, SummaryMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from migrations_app.models import AuditHead, Backfill, Replica, Rollout, Target, TargetPlan
from migrations_app.models.status import BACKFILL_FINAL, ROLLOUT_FINAL

RUNS = (("rollout", Rollout, ROLLOUT_FINAL), ("backfill", Backfill, BACKFILL_FINAL))


def exposition() -> tuple[bytes, str]:
    """The metrics as text, and its content type."""
    registry = CollectorRegistry()
    registry.register(FromRows())
    return generate_latest(registry), CONTENT_TYPE_LATEST


class FromRows(Collector):
    def describe(self) -> Iterable[Metric]:
        return []  # else registering would collect, and so ask the database

    def collect(self) -> Iterator[Metric]:
        yield from _build()
        yield from _runs()
        yield from _approvals()
        yield from _backfills()
        yield from _targets()
        yield from _replicas()
        yield from _queue()
        head = AuditHead.objects.values_list("seq", flat=True).first() or 0
        yield GaugeMetricFamily("tidegate_audit_head_seq", "Sequence number of the newest audit entry", value=head)


def _build() -> Iterator[Metric]:
    info = GaugeMetricFamily("tidegate_build_info", "1, with what runs here", labels=["python", "django", "alembic"])
    info.add_metric([platform.python_version(), version("django"), version("alembic")], 1)
    yield info


def _runs() -> Iterator[Metric]:
    ended = CounterMetricFamily("tidegate_runs", "Rollouts and backfills that have ended", labels=["kind", "outcome"])
    took = SummaryMetricFamily(
        "tidegate_run_duration_seconds", "From start to end of rollouts and backfills", labels=["kind"]
    )
    now = GaugeMetricFamily("tidegate_runs_by_status", "Rollouts and backfills by status", labels=["kind", "status"])
    for kind, model, final in RUNS:
        counts = dict(_counted(model.objects.all(), "status"))
        for status, count in counts.items():
            now.add_metric([kind, status], count)
        for status in sorted(final):
            ended.add_metric([kind, status], counts.get(status, 0))  # a rate needs the zero before the first
        seconds = Sum(Extract("finished_at", "epoch") - Extract("started_at", "epoch"))
        done = model.objects.filter(started_at__isnull=False, finished_at__isnull=False)
        sums = done.aggregate(count=Count("pk"), seconds=seconds)
        took.add_metric([kind], count_value=sums["count"], sum_value=float(sums["seconds"] or 0))
    yield from (ended, took, now)


def _approvals() -> Iterator[Metric]:
    waiting = GaugeMetricFamily("tidegate_approvals_waiting", "What waits for a person's decision", labels=["kind"])
    oldest = GaugeMetricFamily(
        "tidegate_approval_wait_seconds", "How long the oldest of them has waited", labels=["kind"]
    )
    for kind, model, _ in RUNS:
        found = model.objects.filter(status="awaiting_approval").aggregate(n=Count("pk"), since=Min("status_at"))
        waiting.add_metric([kind], found["n"])
        oldest.add_metric([kind], _seconds_since(found["since"]))
    yield from (waiting, oldest)


def _backfills() -> Iterator[Metric]:
    rows = Backfill.objects.aggregate(n=Sum("rows_done"))["n"] or 0
    yield CounterMetricFamily("tidegate_backfill_rows", "Rows changed by backfills", value=rows)
    held_back = Backfill.objects.filter(status="running").exclude(throttle_reason="").count()
    yield GaugeMetricFamily("tidegate_backfills_throttled", "Running backfills that are held back", value=held_back)


def _targets() -> Iterator[Metric]:
    states = GaugeMetricFamily("tidegate_targets", "Targets", labels=["environment", "schema_state"])
    for environment, state, count in _counted(Target.objects.all(), "environment__name", "schema_state"):
        states.add_metric([environment, state], count)
    yield states


def _replicas() -> Iterator[Metric]:
    lag = GaugeMetricFamily("tidegate_replica_lag_seconds", "Lag when last seen", labels=["target", "replica"])
    unknown = GaugeMetricFamily("tidegate_lag_unknown", "1 while the lag is not known", labels=["target", "replica"])
    for target, replica, seconds in Replica.objects.values_list("target__slug", "name", "lag_s"):
        if seconds is not None:
            lag.add_metric([target, replica], seconds)
        unknown.add_metric([target, replica], float(seconds is None))
    yield from (lag, unknown)


def _queue() -> Iterator[Metric]:
    """What could be worked on now and is not: it grows when no worker runs."""
    due = TargetPlan.objects.due().exclude(not_before__gt=Now()).aggregate(since=Min("rollout__status_at"))["since"]
    backfill = Backfill.objects.due().aggregate(since=Min("status_at"))["since"]
    oldest = min((at for at in (due, backfill) if at is not None), default=None)
    yield GaugeMetricFamily(
        "tidegate_queue_oldest_seconds", "How long the oldest due work is due", value=_seconds_since(oldest)
    )


def _counted(rows: Any, *columns: str) -> Iterable[tuple[Any, ...]]:
    counted: Iterable[tuple[Any, ...]] = rows.order_by().values_list(*columns).annotate(n=Count("pk"))
    return counted


def _seconds_since(at: Any) -> float:
    return max((timezone.now() - at).total_seconds(), 0.0) if at else 0.0
