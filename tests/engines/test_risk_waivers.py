"""What a waiver is bound to, and what it leaves of a verdict. No database needed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from migrations_app.engines.risk import waivers
from migrations_app.engines.risk.waivers import Accepted, apply, mark, open_rules, subject_of

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def analysis(*findings: dict[str, Any], opaque: list[str] | None = None, **more: Any) -> dict[str, Any]:
    found = {"sql": "DROP TABLE a, b", "findings": list(findings)}
    hazards = sorted({finding["rule"] for finding in findings})
    verdict = {"dangerous": True, "level": "critical", "hazards": hazards, "opaque": opaque or []}
    return {**verdict, "statements": [found], **more}


def danger(table: str, rule: str = "drop-table", severity: str = "danger") -> dict[str, Any]:
    return {"rule": rule, "severity": severity, "message": f"drops {table}", "table": table}


def marked(*findings: dict[str, Any], **more: Any) -> dict[str, Any]:
    return mark(analysis(*findings, **more), sha256="f" * 64, direction="up")


def word(subject: str, by: str = "bob", days: int = 30) -> Accepted:
    return Accepted(f"wai_{by}_{days}", subject, by, "it is empty", NOW + timedelta(days=days))


def subjects(found: dict[str, Any]) -> list[str]:
    return [finding["subject"] for finding, _ in waivers.dangers(found)]


@pytest.mark.parametrize(
    "other",
    [{"sha256": "0"}, {"direction": "down"}, {"rule": "truncate"}, {"text": "DROP"}, {"table": "b"}, {"column": "c"}],
    ids=lambda change: next(iter(change)),
)
def test_a_subject_is_that_of_one_finding_only(other: dict[str, str]) -> None:
    given = {"sha256": "f", "direction": "up", "rule": "drop-table", "text": "DROP TABLE a", "table": "a"}
    assert subject_of(**given) == subject_of(**dict(reversed(given.items())))
    assert subject_of(**{**given, **other}) != subject_of(**given)


def test_one_statement_with_two_dangers_is_dangerous_until_both_are_waived() -> None:
    found = marked(danger("a"), danger("b"))
    first, second = subjects(found)
    half = apply(found, [word(first)])
    assert (half["dangerous"], half["level"], open_rules(half)) == (True, "critical", ["drop-table"])
    whole = apply(found, [word(first), word(second, days=20)])
    assert (whole["dangerous"], whole["level"], open_rules(whole)) == (False, "medium", [])
    assert whole["waivers"] == ["wai_bob_20", "wai_bob_30"]
    assert whole["hazards"] == ["drop-table"]


def test_a_waived_finding_says_by_whom_why_and_until_when() -> None:
    found = marked(danger("a"))
    (finding,) = apply(found, [word(*subjects(found))])["statements"][0]["findings"]
    told = {"id": "wai_bob_30", "by": "bob", "reason": "it is empty", "expires_at": "2030-01-31T00:00:00Z", "also": []}
    assert (finding["waived"], finding["severity"]) == (told, "danger")


def test_what_is_not_waived_stays_as_it_is() -> None:
    found = marked(danger("a"), danger("b", severity="hazard"))
    assert apply(found, [word("of something else")]) == found
    assert subjects(found) == [found["statements"][0]["findings"][0]["subject"]]


def test_two_waivers_of_one_person_count_once_and_the_first_to_end_is_named() -> None:
    found = marked(danger("a"))
    (subject,) = subjects(found)
    assert apply(found, [word(subject), word(subject, days=2)], needed=2)["dangerous"]
    three = apply(found, [word(subject, days=9), word(subject, "carla", 3), word(subject, "dan", 1)], needed=2)
    assert three["waivers"] == ["wai_bob_9", "wai_carla_3"]
    assert three["statements"][0]["findings"][0]["waived"]["by"] == "carla"


def test_opaque_code_is_one_finding_of_the_whole_revision() -> None:
    found = marked(danger("", "opaque-code"), opaque=["line 1: EXECUTE x", "line 2: EXECUTE y"])
    assert len(set(subjects(found))) == 1
    done = apply(found, [word(subjects(found)[0])])
    assert (done["dangerous"], done["level"]) == (False, "medium")
    more = marked(danger("", "opaque-code"), opaque=["line 1: EXECUTE x", "line 2: EXECUTE y", "line 3: EXECUTE z"])
    assert apply(more, [word(subjects(found)[0])])["dangerous"]


def test_findings_of_a_whole_revision_are_told_apart_by_their_words() -> None:
    whole = [{"rule": "downgrade-lies", "severity": "danger", "message": f"leaves {name} behind"} for name in "ab"]
    found = marked(findings=whole)
    first, second = subjects(found)
    assert first != second
    assert open_rules(apply(found, [word(first)])) == ["downgrade-lies"]
    assert not apply(found, [word(first), word(second)])["dangerous"]


def test_what_is_not_dangerous_gets_no_subject() -> None:
    harmless = {"dangerous": False, "level": "low", "hazards": [], "statements": [], "opaque": []}
    assert mark(harmless, sha256="f", direction="up") == harmless
