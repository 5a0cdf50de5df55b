"""The first line of a decision: what this will do, in words made from the findings, never from its author's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from migrations_app.web.figures import how_many, how_much
from migrations_app.web.pieces import SEVERITIES, Piece, Risk, risks_of, weight
from migrations_app.web.sql import visible


@dataclass(frozen=True)
class Verdict:
    """`headline` is the worst thing in it; `facts` are short sentences about size, locks and the way back."""

    tone: str  # danger | warn | ok
    headline: str
    facts: tuple[str, ...]


def verdict(pieces: Sequence[Piece], *, targets_count: int) -> Verdict:
    """What the plan does to its targets, the worst first."""
    risks = risks_of(pieces)
    opaque = [piece for piece in pieces if piece.opaque]
    open_ones = [piece for piece in opaque if not piece.unseen.get("waived")]
    where = f"on {pieces[0].target}" if pieces and targets_count == 1 else f"on {how_many(targets_count, 'target')}"
    worst = risks[0] if risks and risks[0].findings else None
    if worst and worst.rank < 2:
        headline = f"{_sentence(worst.findings[0].get('message', ''))} {where}."
        facts = [*_size(worst), *_locks(worst), *_undo(worst, pieces), *_rest(risks)]
        tone = "danger" if worst.rank == 0 or open_ones else "warn"
        return Verdict(tone, headline, (*facts, *_unknown(opaque), *_waived(pieces)))
    if opaque:
        headline = f"Runs Python whose effect cannot be known before, {where}."
        return Verdict("danger" if open_ones else "warn", headline, (*_unknown(opaque), *_waived(pieces)))
    if not pieces:
        return Verdict("ok", f"Changes nothing {where}.", ("The schema is where this rollout would take it.",))
    return Verdict("ok", f"Destroys nothing and holds no long lock, {where}.", (*_harmless(risks), *_rest(risks)))


def _sentence(message: str) -> str:
    message = visible(message.strip().rstrip("."))
    return message[:1].upper() + message[1:]


def _size(risk: Risk) -> list[str]:
    parts = [how_many(risk.rows, "row") if risk.rows is not None else "", how_much(risk.bytes)]
    known = ", ".join(part for part in parts if part)
    return [f"About {known}."] if known else []


def _locks(risk: Risk) -> list[str]:
    if not risk.lock:
        return []
    effect = "reads and writes wait" if risk.blocks_reads else "writes wait" if risk.blocks_writes else ""
    facts = [f"Takes {risk.lock}{f': {effect} while it runs' if effect else ''}."]
    if risk.rewrite:
        facts.append("Rewrites the whole table.")
    elif risk.scan:
        facts.append("Reads the whole table.")
    return facts


def _undo(risk: Risk, pieces: Sequence[Piece]) -> list[str]:
    piece = next((piece for piece in pieces if piece.revision.revision == risk.revision), None)
    back = piece.way_back if piece else "unknown"
    if any(finding.get("severity") == "danger" for finding in risk.findings):  # waived or not
        if back == "has one":
            return ["Cannot be undone: the downgrade restores the structure, not the values."]
        return ["Cannot be undone."]
    return ["There is a downgrade."] if back == "has one" else ["There is no downgrade."]


def _rest(risks: Sequence[Risk]) -> list[str]:
    """What else is open, besides the first finding of the worst risk, which leads already."""
    others = [finding for risk in risks for finding in risk.findings][1:]
    counts = Counter(weight(finding) for finding in others if not finding.get("waived"))
    words = [how_many(counts[rank], SEVERITIES[rank]) for rank in (0, 1) if counts[rank] > 0]
    return [f"Also found: {' and '.join(words)}."] if words else []


def _unknown(opaque: Sequence[Piece]) -> list[str]:
    names = ", ".join(visible(piece.revision.revision) for piece in opaque)
    verb = "runs" if len(opaque) == 1 else "run"
    return [f"Not knowable before it runs: {names} {verb} Python that asks the database."] if opaque else []


def _waived(pieces: Sequence[Piece]) -> list[str]:
    """Each subject once: opaque code is one finding, however many statements it has."""
    found = {finding["subject"] for piece in pieces for finding in piece.findings if finding.get("waived")}
    return [f"{how_many(len(found), 'danger')} in it {'was' if len(found) == 1 else 'were'} waived."] if found else []


def _harmless(risks: Sequence[Risk]) -> list[str]:
    return [f"{how_many(len(risks), 'statement')}."] if risks else []
