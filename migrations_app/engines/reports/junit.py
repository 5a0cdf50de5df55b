"""JUnit XML, which every CI system shows: a test case a statement, failed where something is dangerous."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree import ElementTree as ET

from migrations_app.engines.reports import places

# What XML 1.0 cannot hold, even escaped.
_IMPOSSIBLE = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def report(analysis: Mapping[str, Any], path: str) -> str:
    suite = ET.Element("testsuite", name="tidegate analyse")
    for statement in analysis["statements"]:
        found = [places.place(finding, statement, path) for finding in statement["findings"]]
        where = f"{statement['revision']} " if "revision" in statement else ""
        _case(
            suite,
            statement.get("path", path),
            f"{where}line {statement['line']}: {statement['kind']}",
            found,
            statement["sql"],
        )
    whole = [place for place in places.of(analysis, path) if place.statement is None]
    notes = places.notes(analysis)
    if whole or notes:
        case = _case(suite, path, "as a whole", whole, "\n".join(notes))
        if analysis["opaque"] or analysis.get("degraded"):
            ET.SubElement(case, "failure", type="opaque-code", message=_clean(notes[0])).text = _clean("\n".join(notes))
    suite.set("tests", str(len(suite.findall("testcase"))))
    suite.set("failures", str(len([case for case in suite.iter("testcase") if case.find("failure") is not None])))
    suite.set("errors", "0")
    ET.indent(suite)
    return ET.tostring(suite, encoding="unicode", xml_declaration=True)


def _case(suite: ET.Element, path: str, name: str, found: Sequence[places.Place], said: str) -> ET.Element:
    case = ET.SubElement(suite, "testcase", classname=_clean(path), name=_clean(name))
    dangers = [f.finding for f in found if f.finding["severity"] == "danger" and "waived" not in f.finding]
    if dangers:
        rules = ", ".join(finding["rule"] for finding in dangers)
        failure = ET.SubElement(case, "failure", type=rules, message=_clean(dangers[0]["message"]))
        failure.text = _clean("\n\n".join(map(_said, dangers)))
    others = [f.finding for f in found if f.finding not in dangers]
    ET.SubElement(case, "system-out").text = _clean("\n\n".join([said, *map(_said, others)]).strip())
    return case


def _said(finding: Mapping[str, Any]) -> str:
    title = f"{finding['severity'].upper()} {finding['rule']}: {finding['message']}"
    return f"{title}\nWhy: {finding['why']}\nSafe way: {finding['safe_way']}"


def _clean(text: str) -> str:
    return _IMPOSSIBLE.sub("\N{REPLACEMENT CHARACTER}", text)
