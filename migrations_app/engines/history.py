"""What a version table's heads mean in a history: which revisions are applied, and where the target stands."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Standing:
    """`state` is one of models/status.SchemaState; `pending` counts revisions, None when that cannot be known."""

    state: str
    reason: str
    pending: int | None


Parents = Mapping[str, Collection[str]]


def applied(parents: Parents, heads: Collection[str]) -> frozenset[str]:
    """The heads and all that they stand on. `parents` maps a revision to its down revisions and its depends_on."""
    found: set[str] = set()
    ahead = [head for head in heads if head in parents]
    while ahead:
        revision = ahead.pop()
        if revision not in found:
            found.add(revision)
            ahead.extend(parents[revision])
    return frozenset(found)


def heads(parents: Parents, revisions: Collection[str]) -> frozenset[str]:
    """What the version table holds when exactly these are applied: those that no other of them stands on."""
    return frozenset(revisions) - {below for revision in revisions for below in parents[revision]}


def standing(parents: Parents, current: Collection[str] | None, *, has_tables: bool) -> Standing:
    """Where a target with these heads stands. `current` is None when it has no version table."""
    if not parents:
        return Standing("at_head", "the project has no revisions", 0)
    if current is None:
        more = ", but it has tables: adopt it with a stamp, or it will fail" if has_tables else ""
        return Standing("unversioned", f"there is no version table yet{more}", len(parents))
    unknown = sorted(set(current) - set(parents))
    if unknown:
        return Standing(
            "unknown_revision",
            f"the target is at {', '.join(unknown)}, which this bundle does not have: it was made by newer or other "
            "files. Sync the project, or find out who ran it",
            None,
        )
    missing = len(parents) - len(applied(parents, current))
    if not missing:
        return Standing("at_head", "every revision of the history is applied", 0)
    return Standing("behind", f"{missing} of {len(parents)} revisions are not applied", missing)
