"""Which targets may be worked on, and what has become of the rollout."""

from datetime import UTC, datetime, timedelta

import pytest

from migrations_app.engines.schedule import PlanView, outlook

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def plan(name, *steps, wave=0, leased=False, not_before=None, ended=None):
    return PlanView(name, name, wave, steps, leased, not_before, ended)


def look(*plans, asked="", budget=0, soak_s=0.0):
    return outlook(plans, asked=asked, failure_budget=budget, soak_s=soak_s, now=NOW)


def test_everything_of_the_first_wave_is_due():
    seen = look(plan("a", "approved"), plan("b", "approved"), plan("c", "approved", wave=1))
    assert (seen.due, seen.status) == (("a", "b"), "running")


def test_the_next_wave_waits_for_the_soak_and_says_until_when():
    first = plan("a", "verified", ended=NOW - timedelta(seconds=10))
    seen = look(first, plan("b", "approved", wave=1), soak_s=60)
    assert seen.due == ()
    assert "12:00:50 UTC" in seen.reason
    assert look(first, plan("b", "approved", wave=1), soak_s=5).due == ("b",)


def test_a_leased_or_postponed_target_is_not_due():
    later = plan("b", "approved", not_before=NOW + timedelta(seconds=5))
    assert look(plan("a", "running", leased=True), later).due == ()


def test_all_verified_is_success_with_the_count():
    seen = look(plan("a", "verified"), plan("b", "verified"))
    assert (seen.status, seen.reason) == ("succeeded", "verified on 2 of 2 targets")


@pytest.mark.parametrize(("budget", "status"), [(0, "failed"), (1, "succeeded")])
def test_failures_within_the_budget_are_told_and_beyond_it_end_the_rollout(budget, status):
    seen = look(plan("a", "failed", "approved"), plan("b", "verified"), budget=budget)
    assert seen.status == status
    assert "a" in seen.reason


def test_beyond_the_budget_what_runs_ends_its_step_first():
    seen = look(plan("a", "failed"), plan("b", "running", leased=True))
    assert (seen.status, seen.due) == ("running", ())
    assert "b ends its step first" in seen.reason


@pytest.mark.parametrize(("asked", "status"), [("pause", "paused"), ("cancel", "cancelled")])
def test_what_was_asked_happens_once_nobody_works(asked, status):
    assert look(plan("a", "running", leased=True), asked=asked).status == "running"
    assert look(plan("a", "approved"), asked=asked).status == status


def test_a_running_backfill_keeps_its_target_busy():
    assert look(plan("a", "verified", "running", "approved"), asked="pause").status == "running"
