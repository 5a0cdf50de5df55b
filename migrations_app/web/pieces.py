"""A rollout as people read it: each revision once, with the number of targets on which it runs alike."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, F, TextField, Window
from django.db.models.expressions import BaseExpression
from django.db.models.functions import MD5, Cast, RowNumber

from migrations_app.engines.risk.waivers import OPAQUE
from migrations_app.models import Rehearsal, Revision, Rollout, Step
from migrations_app.web.rehearsed import Seen, seen_in

SEVERITIES = ("danger", "hazard", "advice")
BLOCKS_READS = frozenset({"ACCESS EXCLUSIVE"})
BLOCKS_WRITES = frozenset({"ACCESS EXCLUSIVE", "EXCLUSIVE", "SHARE ROW EXCLUSIVE", "SHARE"})


@dataclass
class Risk:
    """One statement of a piece with what was found in it, as a row of the risk table; no SQL: the piece as a whole."""

    revision: str
    sql: str
    lock: str
    tables: list[str]
    rewrite: bool
    scan: bool
    findings: list[dict[str, Any]]
    rows: int | None
    bytes: int | None

    @property
    def rank(self) -> int:
        """0 is the worst. A danger that was waived weighs as a hazard."""
        return min((weight(finding) for finding in self.findings), default=len(SEVERITIES))

    @property
    def tone(self) -> str:
        return ("danger", "warn", "note", "quiet")[self.rank]

    @property
    def blocks_reads(self) -> bool:
        return self.lock in BLOCKS_READS

    @property
    def blocks_writes(self) -> bool:
        return self.lock in BLOCKS_WRITES


@dataclass
class Piece:
    """One revision or backfill as it will run; where its SQL or its risks differ between targets there are several.

    `target` is one of the `targets_count` where it runs like this; rows and bytes are what was found there, and
    `seen` is what the rehearsal for it saw. `recorded`: the statements come from there, as nothing else knows them.
    """

    revision: Revision
    kind: str
    direction: str
    statements: list[str]
    opaque: str
    analysis: dict[str, Any]
    target: str
    targets_count: int = 1
    recorded: bool = False
    seen: Seen | None = None

    @property
    def risks(self) -> list[Risk]:
        whole = [finding for finding in self.analysis.get("findings", []) if finding["rule"] != OPAQUE]
        judged = [*([{"findings": whole}] if whole else []), *self.analysis.get("statements", [])]
        return [_risk(self.revision.revision, found) for found in judged]

    @property
    def unseen(self) -> dict[str, Any]:
        """The finding that stands for all that cannot be seen before it runs; empty when there is none."""
        whole = self.analysis.get("findings", [])
        return next((finding for finding in whole if finding["rule"] == OPAQUE), {})

    @property
    def findings(self) -> list[dict[str, Any]]:
        """All of them: of the revision as a whole, then statement by statement."""
        of_statements = [finding for found in self.analysis.get("statements", []) for finding in found["findings"]]
        return [*self.analysis.get("findings", []), *of_statements]

    @property
    def way_back(self) -> str:
        return way_back(self.revision.source)


def pieces_of(rollout: Rollout) -> list[Piece]:
    """All that the rollout will do, in order. The database compares the targets, so that hundreds cost one query."""
    alike: list[BaseExpression | F] = [
        F("revision"),
        F("kind"),
        F("direction"),
        F("opaque"),
        F("recorded"),
        MD5(Cast("statements", TextField())),
        Cast("analysis__hazards", TextField()),
        Cast("analysis__waivers", TextField()),
    ]
    steps = Step.objects.filter(plan__rollout=rollout).annotate(
        nth=Window(RowNumber(), partition_by=alike, order_by="id"),
        targets_count=Window(Count("id"), partition_by=alike),
    )
    first = list(steps.filter(nth=1).select_related("revision", "plan__target"))
    names = {step.plan.rehearsal_id for step in first if step.plan.rehearsal_id}
    rehearsals = Rehearsal.objects.select_related("target").in_bulk(names)
    return sorted((_piece(step, rehearsals.get(step.plan.rehearsal_id)) for step in first), key=_order)


def risks_of(pieces: Sequence[Piece]) -> list[Risk]:
    """Every statement of every piece, the worst first, else in order of execution."""
    return sorted((risk for piece in pieces for risk in piece.risks), key=lambda risk: risk.rank)


def way_back(source: str) -> str:
    """What the source says about downgrade(): "has one", "does nothing", "refuses" or "none"."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return "unknown"
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "downgrade"]
    if not functions:
        return "none"
    body = [node for node in functions[-1].body if not _is_idle(node)]
    if not body:
        return "does nothing"
    return "refuses" if isinstance(body[0], ast.Raise) else "has one"


def _is_idle(node: ast.stmt) -> bool:
    return isinstance(node, ast.Pass) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))


def _order(piece: Piece) -> tuple[int, bool]:
    return (piece.revision.position if piece.direction == "up" else -piece.revision.position, piece.kind == "backfill")


def _piece(step: Any, rehearsal: Rehearsal | None) -> Piece:
    """`step` as `pieces_of` annotates it."""
    is_judged = step.kind == "revision" and (step.analysis or {}).get("rehearsed")
    return Piece(
        step.revision,
        step.kind,
        step.direction,
        step.statements,
        step.opaque,
        step.analysis or {},
        step.plan.target.slug,
        step.targets_count,
        step.recorded,
        seen_in(rehearsal, step.revision.revision, step.plan.target) if rehearsal and is_judged else None,
    )


def _risk(revision: str, found: dict[str, Any]) -> Risk:
    findings = sorted(found.get("findings", []), key=weight)
    return Risk(
        revision=revision,
        sql=found.get("sql", ""),
        lock=found.get("lock") or "",
        tables=list(found.get("tables", [])),
        rewrite=bool(found.get("rewrite")),
        scan=bool(found.get("scan")),
        findings=findings,
        rows=_largest(findings, "rows"),
        bytes=_largest(findings, "bytes"),
    )


def weight(finding: dict[str, Any]) -> int:
    """Its place among the severities, 0 for the worst: a danger that was waived weighs as a hazard."""
    severity = "hazard" if finding.get("waived") else finding.get("severity", "")
    return SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES)


def _largest(findings: Sequence[dict[str, Any]], name: str) -> int | None:
    values = [f.get("evidence", {}).get(name) for f in findings]
    return max((int(value) for value in values if isinstance(value, int | float)), default=None)
