"""The formats in which CI systems read an analysis: each is parsed again by what its readers parse it with."""

from __future__ import annotations

import json
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from migrations_app.engines.reports import FORMATS
from migrations_app.engines.risk.verdict import RevisionSql, analyse, analyse_each

SQL = "SELECT 1;\nDROP TABLE users;\nCREATE INDEX ix ON orders (id);"


def report(name: str, sql: str = SQL, path: str = "sql/change.sql", **more: Any) -> str:
    return FORMATS[name](analyse(sql).to_json() | more, path)


def test_sarif_places_each_finding_and_describes_its_rule() -> None:
    (run,) = json.loads(report("sarif"))["runs"]
    by_rule = {result["ruleId"]: result for result in run["results"]}
    drop, index = by_rule["drop-table"], by_rule["create-index-blocking"]
    assert (drop["level"], index["level"]) == ("error", "warning")
    place = drop["locations"][0]["physicalLocation"]
    assert (place["artifactLocation"]["uri"], place["region"]["startLine"]) == ("sql/change.sql", 2)
    assert run["tool"]["driver"]["rules"][drop["ruleIndex"]]["id"] == "drop-table"


def test_a_finding_keeps_its_fingerprint_when_it_moves() -> None:
    def fingerprint(text: str) -> str:
        results = json.loads(text)["runs"][0]["results"]
        return str(results[0]["partialFingerprints"]["tidegate/v1"])

    moved = report("sarif", "-- a line more\n\n" + SQL)
    assert fingerprint(report("sarif")) == fingerprint(moved) != fingerprint(report("sarif", "DROP TABLE others"))


def test_github_gets_one_command_a_finding_and_nothing_breaks_out_of_it() -> None:
    lines = report("github", 'DROP TABLE "a:b,%\n::error::x"', "odd,name:1.sql").splitlines()
    assert lines[0].startswith("::error file=odd%2Cname%3A1.sql,line=1,title=drop-table::")
    assert not any(line.startswith("::error::x") for line in lines)
    assert "%25%0A" in lines[0]


def test_junit_fails_the_statements_that_are_dangerous_and_no_others() -> None:
    suite = ET.fromstring(report("junit"))
    failed = [case.get("name") for case in suite.iter("testcase") if case.find("failure") is not None]
    assert (suite.get("tests"), suite.get("failures"), failed) == ("3", "1", ["line 2: DROP TABLE"])


def test_junit_survives_characters_that_xml_cannot_hold() -> None:
    assert ET.fromstring(report("junit", "DELETE FROM users -- \x01\x0b"))


@pytest.mark.parametrize("name", list(FORMATS))
def test_what_could_not_be_seen_is_said_in_every_format(name: str) -> None:
    text = report(name, "DO $$ BEGIN EXECUTE what; END $$", degraded="The database broke off.")
    assert "EXECUTE what" in text
    assert "The database broke off." in text


@pytest.mark.parametrize("name", list(FORMATS))
def test_the_file_of_a_revision_is_named(name: str) -> None:
    found = analyse_each([RevisionSql("abc", ["DROP TABLE users"])])[0].to_json()
    found["statements"][0]["path"] = "versions/abc_drop.py"
    text = FORMATS[name](found, "project")
    assert "versions/abc_drop.py" in text or name == "text"
    assert "abc" in text


def test_a_waived_danger_is_suppressed_and_fails_nothing() -> None:
    found = analyse("DROP TABLE users").to_json()
    waiver = {"id": "w1", "by": "ana", "reason": "nobody reads it", "expires_at": "2027-01-01T00:00:00Z"}
    found["statements"][0]["findings"][0]["waived"] = waiver
    result = json.loads(FORMATS["sarif"](found, "x.sql"))["runs"][0]["results"][0]
    assert result["suppressions"][0]["justification"].startswith("nobody reads it (ana")
    assert ET.fromstring(FORMATS["junit"](found, "x.sql")).get("failures") == "0"
    assert FORMATS["github"](found, "x.sql").startswith("::notice")
