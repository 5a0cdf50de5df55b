"""What the catalog says about a table, as numbers for machines and as a sentence for people."""

from __future__ import annotations

from typing import Any

from migrations_app.engines.risk.session import Column, Relation

_UNITS = ("bytes", "kB", "MB", "GB", "TB")


def of_table(relation: Relation) -> dict[str, Any]:
    """Rows, bytes and whether there is data; empty without a catalog."""
    facts = relation.facts
    if facts is None:
        return {}
    found: dict[str, Any] = {"has_rows": facts.has_rows, "rows": facts.rows, "bytes": facts.bytes}
    if relation.name != facts.name and relation.name != facts.qualified:
        found["was"] = facts.qualified
    return {key: value for key, value in found.items() if value is not None}


def in_words(relation: Relation) -> str:
    """How much data is at stake here."""
    facts = relation.facts
    if facts is None:
        return "Without a database to ask, the table must be taken to hold data."
    size = f" ({in_bytes(facts.bytes)})" if facts.bytes else ""
    if facts.has_rows is False:
        return f"{facts.qualified} is empty on this target."
    if facts.rows:
        return f"{facts.qualified} holds about {facts.rows:,} rows{size}."
    if facts.has_rows:
        return f"{facts.qualified} holds rows{size}."
    return f"How many rows {facts.qualified} holds is not known."


def of_column(relation: Relation, column: Column) -> dict[str, Any]:
    found = of_table(relation)
    if column.has_values is not None:
        found["has_values"] = column.has_values
    if column.type is not None:
        found["type"] = column.type
    return found


def in_bytes(count: int) -> str:
    """1234567 -> "1.2 MB"."""
    size, unit = float(count), 0
    while size >= 1000 and unit < len(_UNITS) - 1:
        size, unit = size / 1024, unit + 1
    return f"{size:.1f} {_UNITS[unit]}" if unit else f"{count} bytes"
