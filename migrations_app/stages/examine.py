"""Looks at a target on demand: its tables, whether somebody changed its schema, and who waits for a lock there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import psycopg

from migrations_app import lifecycle
from migrations_app.engines import history
from migrations_app.engines.postgres import volumes, waits
from migrations_app.engines.postgres.connect import connect
from migrations_app.engines.postgres.facts import facts_for
from migrations_app.engines.postgres.fingerprint import fingerprint
from migrations_app.engines.risk import verdict
from migrations_app.errors import TargetUnreachable, UnknownRevision, Unprocessable
from migrations_app.models import Actor, Bundle, Project, Rehearsal, Target
from migrations_app.models.rehearsals import recipe_of
from migrations_app.models.secrets import address_of
from migrations_app.models.waivers import weigh


def volumetrics(*, actor: Actor, target: Target) -> dict[str, Any]:
    """Its tables, the largest first. Growth is None until it is known from more than one look."""
    with _looking(actor, target) as conn:
        return {"tables": [{**asdict(table), "growth_rows_per_day": None} for table in volumes.tables(conn)]}


def drift(*, actor: Actor, target: Target) -> dict[str, Any]:
    """Whether the schema is still as our last run left it; `drifted` is None when nothing was run here yet."""
    with _looking(actor, target) as conn:
        found = fingerprint(conn).sha256
    expected = target.fingerprint
    if not expected:
        reason = "Tidegate has not run anything here yet, so there is nothing to compare with."
        return {"drifted": None, "expected": "", "found": found, "reason": reason}
    is_same = found == expected
    reason = "The schema is as our last run left it." if is_same else (
        "Somebody changed the schema since our last run. Find out who, and bring the change into the history; a plan "
        "made now is for the schema as it is."
    )  # fmt: skip
    return {"drifted": not is_same, "expected": expected, "found": found, "reason": reason}


def locks(*, actor: Actor, target: Target) -> dict[str, Any]:
    """Who waits and for whom, and the transactions old enough to make a change of their tables wait."""
    with _looking(actor, target) as conn:
        waiting, old = waits.waiters(conn), waits.old_transactions(conn)
    return {"waiting": [asdict(item) for item in waiting], "old_transactions": [asdict(item) for item in old]}


def pending(*, actor: Actor, target: Target) -> list[dict[str, Any]]:
    """What is not applied on the target, in order of execution, each with what it risks there.

    Waivers count as they would in a rollout of this actor's; a rehearsal that holds counts as in any.
    """
    bundle = target.project.bundle
    if bundle is None:
        raise Unprocessable(
            f"{target.project} has no files yet: upload a bundle, or give it a folder.", code="no_bundle"
        )
    with _looking(actor, target) as conn:
        heads = bundle.heads_on(conn)
        done = history.applied(bundle.parents(), heads)
        rows = [row for row in bundle.revisions.in_order() if row.revision not in done]
        seen = Rehearsal.objects.holding(
            bundle,
            recipe_of(target.project.launch),
            fingerprint=fingerprint(conn).sha256,
            from_heads=heads,
            revisions=[row.revision for row in rows],
        )
        version = conn.info.server_version
        known = {row.revision: seen.of(row.revision, server_version=version) for row in rows} if seen else {}
        parts = [row.to_judge(rehearsed=known.get(row.revision)) for row in rows]
        facts = facts_for(conn, [part.as_sent() for part in parts])
    judged = [analysis.to_json() for analysis in verdict.analyse_each(parts, facts=facts)]
    return [
        {
            "revision": row.revision,
            "message": row.message,
            "level": analysis["level"],
            "dangerous": analysis["dangerous"],
            "findings": _findings(analysis),
        }
        for row, analysis in zip(rows, weigh(judged, rows, "up", target, actor.user_id), strict=True)
    ]


def analyse_revisions(
    *, actor: Actor, project: Project, first: str = "", last: str = "", target: Target | None = None
) -> dict[str, Any]:
    """The analysis of the revisions after `first` up to `last`, as they stand in the project's bundle.

    Left out, `first` is the beginning and `last` the heads. A target's catalog makes it exact. Raises UnknownRevision.
    """
    lifecycle.require(actor, "probe", target or project)
    bundle = project.bundle
    if bundle is None:
        raise Unprocessable(f"{project} has no files yet: upload a bundle, or give it a folder.", code="no_bundle")
    parents = bundle.parents()
    upto = history.applied(parents, _resolved(bundle, last or "heads"))
    before = history.applied(parents, _resolved(bundle, first)) if first else frozenset()
    parts = [
        row.to_judge()
        for row in bundle.revisions.in_order()
        # Without a catalog the types come from the history, so what lies before the range is read as well.
        if row.revision in upto - (before if target else frozenset())
    ]
    facts = None
    if target:
        with _looking(actor, target) as conn:
            facts = facts_for(conn, parts)
    judged = zip(parts, verdict.analyse_each(parts, facts=facts), strict=True)
    kept = [analysis for part, analysis in judged if part.revision not in before]
    return verdict.combine(kept).to_json() | {"facts": "catalog" if target else "none"}


def _findings(analysis: dict[str, Any]) -> list[dict[str, Any]]:
    of_statements = [finding for statement in analysis["statements"] for finding in statement["findings"]]
    return [*analysis.get("findings", []), *of_statements]


def _resolved(bundle: Bundle, name: str) -> tuple[str, ...]:
    if name in ("head", "heads"):
        return tuple(bundle.heads)
    if name == "base":
        return ()
    found = list(bundle.revisions.filter(revision__startswith=name).values_list("revision", flat=True))
    if name in found:
        return (name,)
    if len(found) != 1:
        what = "begins more than one revision" if found else "is no revision of this history"
        raise UnknownRevision(f"{name} {what}.")
    return (found[0],)


@contextmanager
def _looking(actor: Actor, target: Target) -> Iterator[psycopg.Connection]:
    lifecycle.require(actor, "probe", target)
    with connect(address_of(target), application_name="tidegate:examine", statement_timeout_ms=15_000) as conn:
        try:
            yield conn
        except psycopg.Error as error:
            state = error.sqlstate or "the connection was lost"
            raise TargetUnreachable(f"{target} could not be looked at ({state}). Try again in a moment.") from None
