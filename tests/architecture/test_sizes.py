"""The upper bounds; what to aim at (40 lines, 300 lines) is a matter of taste and review."""

from __future__ import annotations

import ast

from tests.architecture.tree import python, short, tree

FUNCTION_LINES, FILE_LINES = 60, 400


def test_no_function_is_longer_than_60_lines() -> None:
    long = [
        f"{short(path)}:{node.lineno} {node.name}: {length} lines"
        for path in python()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := (node.end_lineno or node.lineno) - node.lineno + 1) > FUNCTION_LINES
    ]
    assert long == []


def test_no_file_is_longer_than_400_lines() -> None:
    lengths = {short(path): len(path.read_text(encoding="utf-8").splitlines()) for path in python()}
    assert {name: length for name, length in lengths.items() if length > FILE_LINES} == {}
