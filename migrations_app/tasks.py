"""Celery's doors: each task takes an id and makes one stage call. Losing or doubling a message is harmless."""

from __future__ import annotations

import os
import socket

from celery import shared_task

from migrations_app import lifecycle
from migrations_app.stages import execute, inventory, plan, rehearse, rollout, slices


def _owner() -> str:
    """Who holds a lease: this worker process, by host and pid."""
    return f"{socket.gethostname()}:{os.getpid()}"


@shared_task(name="tidegate.tick")
def tick() -> None:
    """Every few seconds: sends again whatever is due, so that nothing depends on a message that may be lost."""
    for rollout_id in rollout.sweep():
        lifecycle.hint("progress", rollout_id)
    for backfill_id in slices.sweep():
        lifecycle.hint("run_backfill", backfill_id)
    for rehearsal_id in rehearse.sweep():
        lifecycle.hint("rehearse", rehearsal_id)
    for rollout_id in plan.sweep():
        lifecycle.hint("complete_plan", rollout_id)


@shared_task(name="tidegate.refresh")
def refresh() -> None:
    """Every minute: where each target and its replicas stand, for the pages."""
    inventory.refresh_all()


@shared_task(name="tidegate.progress")
def progress(rollout_id: str) -> None:
    rollout.progress(rollout_id=rollout_id)


@shared_task(name="tidegate.run_revisions")
def run_revisions(plan_id: str) -> None:
    rollout_id = execute.run(plan_id=plan_id, owner=_owner())
    if rollout_id:
        lifecycle.hint("progress", rollout_id)


@shared_task(name="tidegate.rehearse")
def rehearse_revisions(rehearsal_id: str) -> None:
    if rehearse.work(rehearsal_id=rehearsal_id, owner=_owner()):
        for rollout_id in plan.sweep():
            lifecycle.hint("complete_plan", rollout_id)


@shared_task(name="tidegate.complete_plan")
def complete_plan(rollout_id: str) -> None:
    plan.complete(rollout_id=rollout_id)


@shared_task(name="tidegate.run_backfill")
def run_backfill(backfill_id: str) -> None:
    if slices.work(backfill_id=backfill_id, owner=_owner()):
        lifecycle.hint("run_backfill", backfill_id)
