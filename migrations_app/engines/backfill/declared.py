"""A backfill as a revision declares it, and a checked one as the rest of Tidegate needs to speak of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from psycopg import Connection, sql

from migrations_app.engines.backfill import raw
from migrations_app.engines.backfill.definition import Checked, Definition, check
from migrations_app.errors import FieldError, Invalid

KINDS: Mapping[str, type | tuple[type, ...]] = {
    "table": str,
    "set": dict,
    "where": (str, type(None)),
    "key": (list, tuple, type(None)),
}


def from_literal(declared: Mapping[str, Any], *, where_found: str) -> Definition:
    """The definition in `tidegate_backfill = {...}`. Invalid, naming the file, for a field that is missing or wrong."""
    errors = [FieldError(f"/{name}", f"there is no field {name}") for name in declared if name not in KINDS]
    errors += [
        FieldError(f"/{name}", f"{name} is missing or not of its type")
        for name, kind in KINDS.items()
        if not isinstance(declared.get(name), kind)
    ]
    texts = declared.get("set") if isinstance(declared.get("set"), dict) else {}
    errors += [
        FieldError(f"/set/{c}", "must be a text") for c, text in (texts or {}).items() if not isinstance(text, str)
    ]
    if errors:
        told = "; ".join(f"{error.pointer}: {error.detail}" for error in errors)
        raise Invalid(f"tidegate_backfill in {where_found}: {told}.", errors=errors)
    key = declared.get("key")
    return Definition(declared["table"], declared["set"], declared.get("where") or None, tuple(key) if key else None)


def identity(checked: Checked) -> list[Any]:
    """What must still be so when it runs: the very table, the key it is walked along, and the columns it sets."""
    key = [[column.name, column.type] for column in checked.key.columns]
    return [checked.table, checked.table_oid, checked.key.index, key, sorted(name for name, _ in checked.change.set)]


def as_update(conn: Connection[Any], checked: Checked) -> str:
    """The whole change as one UPDATE: for people to read and for the risk engine to judge, never run as it is."""
    change = checked.change
    statement = sql.SQL("UPDATE {} SET {} WHERE {}").format(change.name, change.assignments, change.condition)
    return statement.as_string(conn)


def matches_nothing(conn: Connection[Any], definition: Definition) -> bool:
    """Whether the WHERE finds no row any more; False where it proves nothing. Reads only."""
    checked = check(conn, definition)
    if not checked.is_countable:
        return False
    any_left = sql.SQL("SELECT EXISTS (SELECT FROM {} WHERE {})").format(checked.change.name, checked.change.condition)
    return not raw.rows(conn, any_left)[0][0]
