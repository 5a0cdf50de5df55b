"""The digest that an approval binds: SHA-256 over canonical JSON of everything that decides what will run."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from migrations_app.engines.chain import canonical, plain

# What each input is called when a person has to be told that it changed.
NAMES: Mapping[str, str] = {
    "kind": "the kind of work",
    "author": "the author",
    "bundle": "the project's files",
    "revisions": "the revisions or their files",
    "ruleset": "the risk rules",
    "verdict": "the risk verdict",
    "waivers": "a waiver that the verdict stands on",
    "rehearsals": "a rehearsal that it was judged by",
    "parameters": "the parameters (timeouts, limits, waves)",
    "policies": "an environment's policy",
    "targets": "a target, its heads or its schema",
    "sql": "the SQL",
    "definition": "what the backfill does",
    "table": "the table",
}


__all__ = ["changed", "of", "plain"]


def of(inputs: Mapping[str, Any]) -> str:
    """The digest of the inputs, as "sha256:<hex>"."""
    return "sha256:" + hashlib.sha256(canonical(plain(inputs))).hexdigest()


def changed(approved: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[str, ...]:
    """The names, for people, of the inputs that differ."""
    keys = sorted(set(approved) | set(now))
    return tuple(NAMES.get(key, key) for key in keys if plain(approved.get(key)) != plain(now.get(key)))
