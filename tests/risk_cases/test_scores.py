"""The goals L1 to L4 on the labelled cases, each of which the engine judges by the catalog of its own database."""

from __future__ import annotations

import psycopg
import pytest

from bench.case_scores import Scores, score
from bench.cases import WORKERS, judge_all
from tests.risk_cases import cases, lines
from tests.risk_cases.databases import reused

pytestmark = pytest.mark.score


@pytest.fixture(scope="module")
def scores(primary_server_url: str) -> Scores:
    with psycopg.connect(primary_server_url) as conn:
        wanted = cases(conn.info.server_version // 10_000)
    with reused(primary_server_url, WORKERS) as fresh:
        answers = judge_all(lines(), fresh)
    return score(wanted, {answer["id"]: answer for answer in answers})


@pytest.mark.timeout(600)
def test_what_is_dangerous_is_found_and_little_else_is_called_so(scores: Scores) -> None:
    assert scores.danger_recall.value >= 0.97, "\n".join(scores.lines())
    assert scores.danger_precision.value >= 0.95, "\n".join(scores.lines())


def test_hazards_are_named_precisely_and_nearly_all_of_them(scores: Scores) -> None:
    assert scores.hazard_precision.value >= 0.93, "\n".join(scores.lines())
    assert scores.hazard_recall.value >= 0.90, "\n".join(scores.lines())


def test_clean_inputs_raise_next_to_no_alarm(scores: Scores) -> None:
    assert scores.false_alarms.value <= 0.02, "\n".join(scores.lines())


def test_locks_and_rewrites_are_named_right(scores: Scores) -> None:
    assert scores.lock.value >= 0.98, "\n".join(scores.lines())
    assert scores.rewrite.value >= 0.99, "\n".join(scores.lines())
