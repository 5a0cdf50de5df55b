"""Which targets of a rollout may be worked on now, and what the whole has become. Pure; each answer has a reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from migrations_app.errors import Invalid

BROKEN = frozenset({"failed", "inconsistent"})


@dataclass(frozen=True)
class PlanView:
    """One target's part: the statuses of its steps in order, and whether somebody works on it now."""

    id: str
    target: str
    wave: int
    steps: tuple[str, ...]
    is_leased: bool
    not_before: datetime | None
    last_verified_at: datetime | None

    @property
    def is_done(self) -> bool:
        return all(step == "verified" for step in self.steps)

    @property
    def is_broken(self) -> bool:
        return any(step in BROKEN for step in self.steps)


@dataclass(frozen=True)
class Outlook:
    """`due` are the plans to work on; `status` is what the rollout is now (running while nothing is decided)."""

    due: tuple[str, ...]
    status: str
    reason: str


def waves(targets: Sequence[str], given: Sequence[Sequence[str]] | None) -> list[list[str]]:
    """The targets wave by wave; all at once unless told otherwise. Raises Invalid unless each is named once."""
    if not given:
        return [list(targets)]
    if sorted(slug for wave in given for slug in wave) != sorted(targets):
        raise Invalid.field("/waves", "The waves must name each target of the rollout once, and no other.")
    return [list(wave) for wave in given if wave]


def outlook(plans: Sequence[PlanView], *, asked: str, failure_budget: int, soak_s: float, now: datetime) -> Outlook:
    """What may start, or what the rollout has become. A wave starts when the one before is done and has soaked."""
    broken = [plan for plan in plans if plan.is_broken]
    busy = [plan for plan in plans if plan.is_leased or _has_running_backfill(plan)]
    open_ones = [plan for plan in plans if not plan.is_done and not plan.is_broken]
    over_budget = len(broken) > failure_budget
    if busy and (asked or over_budget):
        return Outlook((), "running", f"{_asked(asked, broken)}: {_listed(busy)} ends its step first")
    if asked:
        return Outlook((), {"pause": "paused", "cancel": "cancelled"}[asked], f"{_asked(asked, broken)}")
    if over_budget:
        return Outlook((), "failed", f"failed on {_listed(broken)}; the failure budget is {failure_budget}")
    if not open_ones:
        missed = f", {len(broken)} failed within the budget: {_listed(broken)}" if broken else ""
        return Outlook((), "succeeded", f"verified on {len(plans) - len(broken)} of {len(plans)} targets{missed}")
    return _current_wave(plans, open_ones, soak_s=soak_s, now=now)


def _current_wave(plans: Sequence[PlanView], open_ones: Sequence[PlanView], *, soak_s: float, now: datetime) -> Outlook:
    wave = min(plan.wave for plan in open_ones)
    ended = [plan.last_verified_at for plan in plans if plan.wave < wave and plan.last_verified_at]
    ready_at = max(ended) + timedelta(seconds=soak_s) if ended else now
    if ready_at > now:
        return Outlook(
            (), "running", f"wave {wave + 1} waits until the one before has soaked ({ready_at:%H:%M:%S} UTC)"
        )
    mine = [plan for plan in open_ones if plan.wave == wave]
    due = tuple(p.id for p in mine if not p.is_leased and (p.not_before is None or p.not_before <= now))
    done = sum(plan.is_done for plan in plans)
    return Outlook(due, "running", f"{done} of {len(plans)} targets done; working on {_listed(mine)}")


def _has_running_backfill(plan: PlanView) -> bool:
    return "running" in plan.steps and not plan.is_leased


def _asked(asked: str, broken: Sequence[PlanView]) -> str:
    return {"pause": "pausing, as asked", "cancel": "cancelling, as asked"}.get(asked, f"{_listed(broken)} failed")


def _listed(plans: Sequence[PlanView]) -> str:
    names = [plan.target for plan in plans]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
