"""SARIF 2.1.0, which code hosts and editors show beside the file (OASIS, sarif-v2.1.0)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from migrations_app.engines.reports import places
from migrations_app.engines.risk.registry import RULES, RULESET_VERSION

_LEVELS = {"danger": "error", "hazard": "warning", "advice": "note"}
_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def report(analysis: Mapping[str, Any], path: str) -> str:
    found = list(places.of(analysis, path))
    rules = sorted({place.finding["rule"] for place in found})
    run = {
        "tool": {
            "driver": {
                "name": "Tidegate",
                "version": RULESET_VERSION,
                "rules": [_rule(rule) for rule in rules],
            }
        },
        "columnKind": "unicodeCodePoints",
        "invocations": [
            {
                "executionSuccessful": not analysis.get("degraded"),
                "toolExecutionNotifications": [
                    {"level": "warning", "message": {"text": note}} for note in places.notes(analysis)
                ],
            }
        ],
        "results": [_result(place, rules.index(place.finding["rule"])) for place in found],
        "properties": {"level": analysis["level"], "dangerous": analysis["dangerous"], "facts": analysis["facts"]},
    }
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2, ensure_ascii=False)


def _rule(name: str) -> dict[str, Any]:
    rule = RULES[name]
    return {
        "id": name,
        "shortDescription": {"text": rule.what},
        "fullDescription": {"text": rule.why},
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
    }


def _result(place: places.Place, rule_index: int) -> dict[str, Any]:
    finding = place.finding
    result: dict[str, Any] = {
        "ruleId": finding["rule"],
        "ruleIndex": rule_index,
        "level": _LEVELS[finding["severity"]],
        "message": {"text": f"{finding['message']}. {finding['why']} Safe way: {finding['safe_way']}"},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": place.path},
                    "region": {"startLine": place.line},
                }
            }
        ],
        "partialFingerprints": {"tidegate/v1": _fingerprint(place)},
    }
    if "waived" in finding:
        waived = finding["waived"]
        why = f"{waived['reason']} ({waived['by']}, until {waived['expires_at']})"
        result["suppressions"] = [{"kind": "external", "status": "accepted", "justification": why}]
    return result


def _fingerprint(place: places.Place) -> str:
    """The same for the same risk of the same statement, wherever in the file it moves to."""
    finding, statement = place.finding, place.statement or {}
    parts = [finding["rule"], finding.get("table", ""), finding.get("column", ""), statement.get("sql", "")]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
