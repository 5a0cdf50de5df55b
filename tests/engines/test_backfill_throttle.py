"""The throttle is a table: an observation, limits, and the sentence that people read."""

import math

import pytest

from migrations_app.engines.backfill.throttle import Decision, Limits, Observation, ReplicaReading, decide
from migrations_app.errors import Invalid

MIB = 1 << 20


def reading(
    lag_s: float | None = 0.1, lag_bytes: int | None = 0, state: str = "streaming", reason: str = ""
) -> ReplicaReading:
    return ReplicaReading("r2", lag_s, lag_bytes, state, reason)


def seen(*replicas: ReplicaReading, blocked: int = 0, at: float = 100.0) -> Observation:
    return Observation(replicas, blocked, at)


def told(observation: Observation | None, limits: Limits | None = None, **given: float) -> Decision:
    return decide(observation, limits or Limits(), **{"busy_s": 0.1, "now": 100.0, **given})


@pytest.mark.parametrize(
    ("observation", "reason"),
    [
        (seen(reading(4.1)), "replica r2 lags 4.1 s, limit 2.0 s"),
        (seen(reading(0.1, 80 * MIB)), "replica r2 is 80.0 MiB behind, limit 64.0 MiB"),
        (seen(reading(None, None, "missing")), "replica r2 is missing; unknown lag counts as over the limit"),
        (
            seen(reading(0.0, 0, "foreign", "another cluster")),
            "replica r2 is foreign: another cluster",
        ),
        (seen(reading(0.0, 0, "paused")), "replica r2 is paused"),
        (seen(reading(0.1, 0, "catching_up", "no receiver.")), "replica r2 is catching up: no receiver"),
        (seen(reading(None, 0, "unreachable")), "replica r2 is unreachable; unknown lag counts as over the limit"),
        (seen(reading(None, 5)), "the lag of replica r2 could not be read; unknown means stop"),
        (seen(reading(math.nan, 5)), "the lag of replica r2 could not be read; unknown means stop"),
        (seen(reading(0.1, None)), "the bytes that replica r2 is behind could not be read; unknown means stop"),
        (seen(reading(), blocked=3), "3 sessions wait for locks of this backfill, limit 0"),
        (seen(reading(), at=97.5), "the last look at the replicas is 2.5 s old, limit 2.0 s"),
        (None, "nothing is known about the replicas yet"),
    ],
)
def test_each_danger_stops_with_its_numbers(observation, reason):
    decision = told(observation)
    assert not decision.go
    assert decision.reason == reason
    assert decision.rest_s > 0


def test_one_bad_replica_among_good_ones_stops():
    good = ReplicaReading("r1", 0.0, 0, "streaming")
    decision = told(seen(good, reading(3.0), good))
    assert (decision.go, decision.reason) == (False, "replica r2 lags 3.0 s, limit 2.0 s")


def test_a_target_without_expected_replicas_goes_and_says_so():
    assert told(seen()) == Decision(
        True, pytest.approx(0.1), "no replicas are expected on this target, so no lag is watched"
    )


def test_an_idle_replica_with_nothing_outstanding_is_not_unknown():
    assert told(seen(reading(None, 0))).go


def test_after_a_stop_it_resumes_only_clearly_below_the_limit():
    assert told(seen(reading(1.9))).go
    still = told(seen(reading(1.9)), was_throttled=True)
    assert (still.go, still.reason) == (False, "replica r2 lags 1.9 s, limit 2.0 s (resumes at 1.6 s)")
    assert told(seen(reading(1.5)), was_throttled=True).go


@pytest.mark.parametrize(("duty", "rest_s"), [(1.0, 0.0), (0.5, 0.2), (0.2, 0.8)])
def test_the_duty_decides_how_long_to_rest(duty, rest_s):
    assert told(seen(), Limits(duty=duty), busy_s=0.2).rest_s == pytest.approx(rest_s)


def test_bytes_are_not_asked_for_without_a_byte_limit():
    assert told(seen(reading(0.1, None)), Limits(max_lag_bytes=None)).go


@pytest.mark.parametrize(
    "wrong",
    [{"max_lag_s": 0}, {"chunk_ms": 0}, {"duty": 0}, {"duty": 1.5}, {"lock_timeout_ms": 0}, {"max_lag_s": math.nan}],
)
def test_limits_that_cannot_work_are_refused_by_name(wrong):
    with pytest.raises(Invalid) as refusal:
        Limits(**wrong)
    assert [error.pointer for error in refusal.value.errors] == [f"/{next(iter(wrong))}"]
