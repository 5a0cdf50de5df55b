"""Whether a plan is still exactly what was made, as far as the rows tell. The executor checks again, under the lock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils import timezone

from migrations_app.models import Rollout, TargetPlan
from migrations_app.models.waivers import objection


@dataclass(frozen=True)
class Freshness:
    """`changes` are sentences about what differs; empty when it is still exactly this."""

    changes: tuple[str, ...]
    notes: tuple[str, ...]


def freshness(rollout: Rollout, plans: Sequence[TargetPlan]) -> Freshness:
    """Compares the plan with what was last seen of its targets, and with the project as it is now."""
    changes: list[str] = []
    if rollout.status == "stale":
        changes.append(rollout.reason)
    elif not rollout.is_final:
        moved = [plan for plan in plans if _has_moved(plan)]
        changes += [
            f"{plan.target} stands at {_names(plan.target.current)} now; the plan expects {_names(_expected(plan))}."
            for plan in moved[:5]
        ]
        if len(moved) > 5:
            changes.append(f"{len(moved) - 5} more targets have moved since.")
        if rollout.expires_at and rollout.expires_at < timezone.now():
            changes.append("The approval has expired.")
        if void := objection(rollout):
            changes.append(f"{void[:1].upper()}{void[1:]}.")
    newer = rollout.project.bundle_id != rollout.bundle_id
    notes = ("The project has newer files by now; this rollout runs the older ones, as planned.",) if newer else ()
    return Freshness(tuple(changes), notes)


def _has_moved(plan: TargetPlan) -> bool:
    """A target that could not be reached has not moved: not knowing is said beside it, with its reason."""
    known = plan.target.probed_at is not None and plan.target.schema_state != "unreachable"
    running = any(step.status in {"running", "executed", "verified"} for step in plan.steps.all())
    return known and not running and sorted(plan.target.current) != sorted(_expected(plan))


def _expected(plan: TargetPlan) -> list[str]:
    return list(plan.expected_heads or plan.from_heads)


def _names(revisions: Sequence[str]) -> str:
    return ", ".join(revisions) or "nothing"
