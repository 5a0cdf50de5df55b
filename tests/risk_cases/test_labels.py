"""Every label of the cases is a fact: each case runs on a real PostgreSQL, which shows locks, rewrites and losses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import psycopg
import pytest

from bench.cases import Case, Fresh, read
from migrations_app.engines.risk.locking.lock_modes import stronger
from tests.risk_cases import contents, lines
from tests.risk_cases.databases import reused
from tests.risk_cases.execution import Observed, observe

pytestmark = pytest.mark.score  # beside the goals that the labels stand for, out of the run of all other tests
CASES = [read(line) for line in lines()]
UNSEEN = {
    "data-env-branch": "the branch that deletes is for another environment than this one",
    "catalog-write": "a statistic of the catalog holds no data of anybody",
}


@pytest.fixture(scope="module")
def fresh(primary_server_url: str) -> Iterator[Fresh]:
    with reused(primary_server_url, 1) as source:
        yield source


@pytest.fixture(scope="module")
def server_major(primary_server_url: str) -> int:
    with psycopg.connect(primary_server_url) as conn:
        return conn.info.server_version // 10_000


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_the_labels_are_what_postgresql_does(case: Case, fresh: Fresh, server_major: int) -> None:
    if case.min_version > server_major:
        return
    seen = observe(case, fresh)
    assert seen.fails == case.expect.get("fails"), seen.why
    assert seen.rewrite == case.expect.get("rewrite", seen.rewrite)
    if "lock" in case.expect:
        _check_lock(case, seen)
    if seen.after is not None and seen.before is not None:
        _check_danger(case, list(contents.losses(seen.before, seen.after)), contents.wiped(seen.before, seen.after))


def _check_lock(case: Case, seen: Observed) -> None:
    """What VACUUM and the CONCURRENTLY family lock while they run is gone afterwards: at least nothing contradicts."""
    if seen.is_hidden and not seen.fails:
        assert stronger(seen.lock, case.expect["lock"]) == case.expect["lock"]
    else:
        assert seen.lock == case.expect["lock"]


def _check_danger(case: Case, losses: list[str], wiped: Iterator[str]) -> None:
    if case.expect["dangerous"]:
        assert losses or case.id in UNSEEN
    else:
        assert list(wiped) == []


def test_there_are_enough_cases_of_each_sort() -> None:
    assert len({case.id for case in CASES}) == len(CASES) >= 280
    clean = [case for case in CASES if not case.expect["hazards"]]
    assert len(clean) >= 60
    assert not any(case.expect["dangerous"] for case in clean)
    assert Counter(case.kind for case in CASES)["alembic"] >= 90
