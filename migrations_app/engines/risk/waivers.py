"""Findings that reviewers have waived: what a waiver is bound to, and what a verdict is without them. Pure.

Works on the JSON of an analysis. A waived finding stays where it is and says by whom, why and until when; it counts
no longer for `dangerous`, and weighs as a hazard for the level.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from migrations_app.engines.risk.registry import RULES

OPAQUE = "opaque-code"
"""Waived for a revision as a whole: what cannot be seen cannot be told apart."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """One person's waiver that holds now. `subject` is that of the finding."""

    id: str
    subject: str
    by: str
    reason: str
    expires_at: datetime

    def to_json(self) -> dict[str, str]:
        until = self.expires_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return {"id": self.id, "by": self.by, "reason": self.reason, "expires_at": until}


class Danger(NamedTuple):
    """A finding that needs a person, with the statement it was made of ("" for the revision as a whole)."""

    finding: dict[str, Any]
    sql: str


def subject_of(
    *, sha256: str, direction: str, rule: str, text: str, table: str | None = None, column: str | None = None
) -> str:
    """The hash of exactly one finding: another byte in the revision's file, and no waiver fits any more.

    `direction` is in it as the way down of a file is not what somebody accepted for its way up.
    """
    parts = [sha256, direction, rule, text, table, column]
    return hashlib.sha256(json.dumps(parts, ensure_ascii=True).encode()).hexdigest()


def mark(analysis: Mapping[str, Any], *, sha256: str, direction: str) -> dict[str, Any]:
    """A copy whose dangers each carry their `subject`. Opaque code becomes one finding of the revision as a whole."""
    marked = deepcopy(dict(analysis))
    if not marked.get("dangerous"):
        return marked
    unseen = "\n".join(marked.get("opaque") or [])
    whole: list[dict[str, Any]] = marked.setdefault("findings", [])
    if unseen and not any(finding["rule"] == OPAQUE for finding in whole):
        whole.append(_of_opaque(unseen))
    for finding, sql in dangers(marked):
        is_opaque = finding["rule"] == OPAQUE
        finding["subject"] = subject_of(
            sha256=sha256,
            direction=direction,
            rule=finding["rule"],
            # What concerns a whole revision has no statement: its own words tell it from another of its rule.
            text=unseen if is_opaque else sql or finding["message"],
            table=None if is_opaque else finding.get("table"),
            column=None if is_opaque else finding.get("column"),
        )
    return marked


def apply(analysis: Mapping[str, Any], accepted: Sequence[Accepted], *, needed: int = 1) -> dict[str, Any]:
    """A copy of a marked analysis in which what `needed` different people have waived asks for nobody any more.

    `waivers` names those that were used; it is only there when there are any.
    """
    result = deepcopy(dict(analysis))
    used: set[str] = set()
    for finding, _ in dangers(result):
        holding = _lasting(accepted, finding.get("subject", ""))[:needed]
        if len(holding) < needed:
            continue
        first, *others = sorted(holding, key=lambda waiver: waiver.expires_at)
        finding["waived"] = {**first.to_json(), "also": [waiver.to_json() for waiver in others]}
        used.update(waiver.id for waiver in holding)
    if used:
        left = open_rules(result)
        result |= {"waivers": sorted(used), "dangerous": bool(left), "level": _level(result, left)}
    return result


def dangers(analysis: Mapping[str, Any]) -> Iterator[Danger]:
    """Every finding that needs a person, waived or not: of the revision as a whole, then statement by statement."""
    yield from (Danger(finding, "") for finding in analysis.get("findings", []) if finding["severity"] == "danger")
    for statement in analysis.get("statements", []):
        for finding in statement["findings"]:
            if finding["severity"] == "danger":
                yield Danger(finding, statement["sql"])


def open_rules(analysis: Mapping[str, Any]) -> list[str]:
    """The rules of what still needs a person, sorted."""
    found = list(dangers(analysis))
    rules = {finding["rule"] for finding, _ in found if "waived" not in finding}
    if analysis.get("opaque") and not any(finding["rule"] == OPAQUE for finding, _ in found):
        rules.add(OPAQUE)
    return sorted(rules)


def waived(analysis: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The findings that were waived, each rule's subject once."""
    found = {finding["subject"]: finding for finding, _ in dangers(analysis) if "waived" in finding}
    return list(found.values())


def told(analyses: Sequence[Mapping[str, Any]]) -> str:
    """Who took the dangers of a plan upon themselves, or "" when there are none."""
    found = {
        f"{finding['rule']} by {waiver['by']} until {waiver['expires_at'][:10]}"
        for analysis in analyses
        for finding in waived(analysis)
        for waiver in [finding["waived"], *finding["waived"]["also"]]
    }
    return f"what is dangerous in it was waived: {', '.join(sorted(found))}" if found else ""


def _lasting(accepted: Sequence[Accepted], subject: str) -> list[Accepted]:
    """Each person's waiver of the subject that lasts longest, the longest first: one person counts once."""
    by_person: dict[str, Accepted] = {}
    for waiver in sorted(accepted, key=lambda waiver: (waiver.expires_at, waiver.id)):
        if waiver.subject == subject:
            by_person[waiver.by] = waiver
    return sorted(by_person.values(), key=lambda waiver: (waiver.expires_at, waiver.id), reverse=True)


def _of_opaque(unseen: str) -> dict[str, Any]:
    rule = RULES[OPAQUE]
    return {
        "rule": rule.id,
        "severity": "danger",
        "message": "What this revision runs is only known when it runs",
        "why": rule.why,
        "safe_way": rule.safe_way,
        "evidence": {"what": unseen},
    }


def _level(analysis: Mapping[str, Any], left: Sequence[str]) -> str:
    if any(RULES[rule].destroys for rule in left if rule in RULES):
        return "critical"
    if left:
        return "high"
    return "medium" if analysis.get("hazards") else "low"
