"""What a revision declares as plain literals, read from its source without running it."""

from __future__ import annotations

import ast
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from migrations_app.errors import Invalid

NAMES = ("tidegate_backfill", "tidegate_requires")


@dataclass(frozen=True)
class Declared:
    source: str
    sha256: str  # of the file's bytes, in hex
    backfill: dict[str, Any] | None
    requires: dict[str, Any] | None


def read_revision(path: Path, *, name: str | None = None) -> Declared:
    """`name` is how messages call the file. Raises `Invalid` with the line of what is no literal dict."""
    content = path.read_bytes()
    source = content.decode("utf-8", "replace")
    found = declarations(source, name or path.name)
    return Declared(source, hashlib.sha256(content).hexdigest(), found.get(NAMES[0]), found.get(NAMES[1]))


def declarations(source: str, name: str) -> dict[str, dict[str, Any]]:
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None) or 1
        raise Invalid.field("/source", f"{name}:{line} is not Python ({type(error).__name__}).") from None
    found = {}
    for node in tree.body:
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        for target in targets:
            if isinstance(target, ast.Name) and target.id in NAMES:
                found[target.id] = _literal(node, target.id, name)
    return found


def _literal(node: ast.stmt, variable: str, name: str) -> dict[str, Any]:
    value = getattr(node, "value", None)
    try:
        literal = ast.literal_eval(value) if value is not None else None
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        literal = None
    if not isinstance(literal, dict) or not all(isinstance(key, str) for key in literal):
        raise Invalid.field(
            f"/{variable}",
            f"{name}:{node.lineno}: {variable} must be one plain dict of literals, as it is read without running it.",
        )
    return literal
