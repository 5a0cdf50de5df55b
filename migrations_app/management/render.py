"""What goes to a terminal or a pipe: JSON, aligned columns, times in UTC; nothing that could steer a terminal."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from typing import Any


def as_json(data: Any) -> str:
    return json.dumps(data, indent=2, default=_plain)


def columns(rows: Sequence[dict[str, Any]], names: Sequence[str], *, empty: str) -> str:
    """The named values of each row below their titles; `empty` is what is said when there is no row."""
    if not rows:
        return empty
    lines = [[name.upper().replace("_", " ") for name in names], *([cell(row[name]) for name in names] for row in rows)]
    widths = [max(len(line[index]) for line in lines) for index in range(len(names))]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def pairs(values: dict[str, Any]) -> str:
    """One line a value, its name before it; what is empty is left out."""
    shown = {name.replace("_", " "): cell(value) for name, value in values.items() if cell(value) != "-"}
    width = max(map(len, shown), default=0)
    return "\n".join(f"{name.ljust(width)}  {text}" for name, text in shown.items())


def cell(value: Any) -> str:
    """One value on one line."""
    if value is None or (isinstance(value, str | list | tuple | dict) and not value):
        return "-"
    if isinstance(value, dt.datetime):
        return f"{value.astimezone(dt.UTC):%Y-%m-%d %H:%M:%S} UTC"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.1f}"
    if isinstance(value, list | tuple):
        return ", ".join(map(cell, value))
    if isinstance(value, dict):
        return ", ".join(f"{name}={cell(item)}" for name, item in value.items())
    return clean(" ".join(str(value).split()))


def clean(text: str) -> str:
    """Control characters made visible: names and messages come from databases and projects, and may hold any."""
    return "".join(char if char.isprintable() or char in "\n\t" else f"\\x{ord(char):02x}" for char in text)


def _plain(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
    return list(value) if isinstance(value, set | frozenset | tuple) else str(value)
