"""How good the verdicts on labelled cases are: the figures L1 to L4, with their counts, and each disagreement."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.cases import Case


@dataclass
class Ratio:
    """`hits` of `of`."""

    hits: int = 0
    of: int = 0

    def add(self, hits: int, of: int) -> None:
        self.hits += hits
        self.of += of

    @property
    def value(self) -> float:
        return self.hits / self.of

    def __str__(self) -> str:
        return f"{self.value:6.1%} ({self.hits} of {self.of})" if self.of else "nothing to count"


@dataclass
class Scores:
    """L1: danger. L2: hazards, over all of them together. L3: false_alarms. L4: lock, rewrite. `fails` is beside them.

    A case without labels counts nowhere, a label that is not there not in its own figure. A case that could not be
    judged counts as an answer that sees nothing.
    """

    danger_recall: Ratio = field(default_factory=Ratio)
    danger_precision: Ratio = field(default_factory=Ratio)
    hazard_precision: Ratio = field(default_factory=Ratio)
    hazard_recall: Ratio = field(default_factory=Ratio)
    false_alarms: Ratio = field(default_factory=Ratio)
    lock: Ratio = field(default_factory=Ratio)
    rewrite: Ratio = field(default_factory=Ratio)
    fails: Ratio = field(default_factory=Ratio)
    mismatches: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        """For people: every figure with its goal, then the disagreements."""
        yield f"L1 dangerous   recall {self.danger_recall}  goal 97%   precision {self.danger_precision}  goal 95%"
        yield f"L2 hazards  precision {self.hazard_precision}  goal 93%      recall {self.hazard_recall}  goal 90%"
        yield f"L3 clean inputs with a false alarm {self.false_alarms}  goal 2% at most"
        yield f"L4 lock right {self.lock}  goal 98%   rewrite right {self.rewrite}  goal 99%"
        yield f"   failure foreseen right {self.fails}"
        if self.mismatches:
            yield f"{len(self.mismatches)} cases differ:"
            yield from self.mismatches


def score(cases: Sequence[Case], answers: Mapping[str, Mapping[str, Any]]) -> Scores:
    """Compare the answers, by case id, with the labels."""
    scores = Scores()
    for case in cases:
        if case.expect:
            _count(scores, case, answers.get(case.id, {"error": "no answer"}))
    return scores


def _count(scores: Scores, case: Case, answer: Mapping[str, Any]) -> None:
    expect, notes = case.expect, []
    if "error" in answer:
        notes.append(f"error: {answer['error']}")
    if "hazards" in expect:
        notes.extend(_count_hazards(scores, expect, set(answer.get("hazards", ()))))
    if "dangerous" in expect:
        wanted, got = bool(expect["dangerous"]), bool(answer.get("dangerous"))
        if wanted:
            scores.danger_recall.add(got, 1)
        if got:
            scores.danger_precision.add(wanted, 1)
        if wanted != got:
            notes.append("not seen as dangerous" if wanted else "wrongly dangerous")
    for name, ratio in (("lock", scores.lock), ("rewrite", scores.rewrite)):
        if name in expect:
            ratio.add(name in answer and answer[name] == expect[name], 1)
            if answer.get(name) != expect[name]:
                notes.append(f"{name} {answer.get(name)}, really {expect[name]}")
    foreseen = (answer.get("fails") or {}).get("sqlstate")
    if expect.get("fails") or foreseen:
        scores.fails.add(foreseen == expect.get("fails"), 1)
        if foreseen != expect.get("fails"):
            notes.append(f"fails {foreseen}, really {expect.get('fails')}")
    if notes:
        scores.mismatches.append(f"  {case.id}: {'; '.join(notes)}")


def _count_hazards(scores: Scores, expect: Mapping[str, Any], got: set[str]) -> Iterator[str]:
    """`optional` ids are neither asked for nor held against an answer: people differ on them."""
    wanted = set(expect["hazards"])
    got -= set(expect.get("optional", ())) - wanted
    scores.hazard_precision.add(len(wanted & got), len(got))
    scores.hazard_recall.add(len(wanted & got), len(wanted))
    if not wanted:
        scores.false_alarms.add(bool(got), 1)
    if got - wanted:
        yield f"too many: {', '.join(sorted(got - wanted))}"
    if wanted - got:
        yield f"missing: {', '.join(sorted(wanted - got))}"
