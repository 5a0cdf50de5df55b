"""One hash for the whole schema of a target, and the difference of two in words."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import psycopg

from migrations_app.engines.postgres.fingerprint_sql import CATALOG

Change = Literal["added", "removed", "changed"]
CONTAINERS = frozenset({"table", "foreign table", "view", "materialized view", "composite type", "schema"})


@dataclass(frozen=True)
class Fingerprint:
    """`sha256` is over `lines`, each "kind<TAB>object<TAB>detail"; both say nothing about the rows of any table."""

    sha256: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Difference:
    """One object that differs. `kind` is what it is ("column"), `detail` a phrase to put after its name."""

    kind: str
    object: str
    change: Change
    detail: str

    def __str__(self) -> str:
        return f"{self.kind} {self.object} {self.detail}"


def fingerprint(conn: psycopg.Connection, *, exclude_tables: Collection[str] = ()) -> Fingerprint:
    """Read the schema of the whole database; a fifth of a second for 1,000 tables of 20 columns.

    `exclude_tables` are bare or schema-qualified, unquoted names of tables that shall not count, with all that hangs
    on them.
    """
    with conn.transaction():
        # With an empty path every name comes out qualified, whatever the role's own path is.
        path = _value(conn, "SELECT current_setting('search_path')")
        _value(conn, "SELECT set_config('search_path', '', true)")
        rows = conn.execute(CATALOG, {"excluded": list(exclude_tables)}, prepare=False).fetchall()
        _value(conn, "SELECT set_config('search_path', %s, true)", path)  # inside of the caller's transaction
    return of_lines("\t".join((kind, name.replace("\t", " "), detail or "")) for kind, name, detail in rows)


def of_lines(lines: Iterable[str]) -> Fingerprint:
    """The fingerprint of lines that were kept, or read elsewhere."""
    ordered = tuple(sorted(lines))
    return Fingerprint(hashlib.sha256("\0".join(ordered).encode()).hexdigest(), ordered)


def diff(before: Fingerprint, after: Fingerprint) -> tuple[Difference, ...]:
    """What changed from `before` to `after`, by kind and name. A new or lost table is one line, without its parts."""
    old, new = _by_object(before), _by_object(after)
    gone, come = old.keys() - new.keys(), new.keys() - old.keys()
    changed = {key for key in old.keys() & new.keys() if old[key] != new[key]}
    found = [Difference(*key, "removed", "is gone") for key in _outermost(gone)]
    found += [Difference(*key, "added", f"is new{_aside(new[key])}") for key in _outermost(come)]
    found += [Difference(*key, "changed", f"was {old[key]}; is {new[key]}") for key in changed]
    return tuple(sorted(found, key=lambda one: (one.object, one.kind)))


def _value(conn: psycopg.Connection, query: str, *values: str) -> str:
    row = conn.execute(query.encode(), values).fetchone()
    assert row is not None
    return str(row[0])


def _by_object(taken: Fingerprint) -> Mapping[tuple[str, str], str]:
    parts = (line.split("\t", 2) for line in taken.lines)
    return {(kind, name): detail or "without more" for kind, name, detail in parts}


def _outermost(keys: Collection[tuple[str, str]]) -> list[tuple[str, str]]:
    """Without what lies within another of the keys. A quoted name may hold a dot, so prefixes are compared whole."""
    containers = {name for kind, name in keys if kind in CONTAINERS}
    return [key for key in keys if not any(outer in containers for outer in _prefixes(key[1]))]


def _prefixes(name: str) -> Iterable[str]:
    return (name[:at] for at, char in enumerate(name) if char == ".")


def _aside(detail: str) -> str:
    return "" if detail == "without more" else f" ({detail})"
