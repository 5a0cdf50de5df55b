"""What a revision has changed of the schema that it should not have, apart from what other revisions left behind."""

from __future__ import annotations

from collections.abc import Iterable

from migrations_app.engines.postgres import fingerprint
from migrations_app.engines.rehearsal.record import State


def differences(expected: State, found: State) -> tuple[str, ...]:
    """In words, from `expected` to `found`. Only the lines that differ are compared: a schema may have many."""
    before, after = fingerprint.of_lines(expected - found), fingerprint.of_lines(found - expected)
    return tuple(str(each) for each in fingerprint.diff(before, after))


def own(found: Iterable[str], already: Iterable[str]) -> tuple[str, ...]:
    """Those of `found` that were not there before this revision."""
    known = set(already)
    return tuple(each for each in found if each not in known)
