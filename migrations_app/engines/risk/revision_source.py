"""What the Python of a revision says, read without running it."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from migrations_app.engines.risk.revision_sql import RevisionSql

_QUIET = (ast.Pass, ast.Return)


def is_empty(function: ast.FunctionDef | None) -> bool:
    """Whether calling it does nothing: only a docstring, `pass`, `...` or a bare return."""
    if function is None:
        return True
    return all(_is_quiet(statement) for statement in function.body)


def _is_quiet(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Return):
        return statement.value is None or isinstance(statement.value, ast.Constant)
    return isinstance(statement, _QUIET) or (
        isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    )


def raises(function: ast.FunctionDef | None) -> ast.Raise | None:
    """The `raise` that ends it whatever the database looks like: one that stands in its body itself."""
    body = function.body if function else []
    return next((statement for statement in body if isinstance(statement, ast.Raise)), None)


def calls(node: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    """Every call with the dotted name of what is called ("op.add_column"); the name is empty for other expressions."""
    for part in ast.walk(node):
        if isinstance(part, ast.Call):
            yield dotted(part.func), part


def dotted(node: ast.expr) -> str:
    """ "op.add_column" for the expression op.add_column; empty when it is not made of plain names."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        owner = dotted(node.value)
        return f"{owner}.{node.attr}" if owner else f".{node.attr}"
    return ""


def operations(revision: RevisionSql, function: str) -> Iterator[tuple[str, ast.Call]]:
    """The calls of Alembic's operations in upgrade() or downgrade(), on `op` or on a batch: ("add_column", call)."""
    found = revision.function(function)
    for name, call in calls(found) if found else ():
        owner, _, operation = name.rpartition(".")
        if owner == "op" or (owner and "batch" in owner):
            yield operation, call


def imports(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Each imported module with its line, wherever in the file it is imported."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or ""), node.lineno


def literal(node: ast.expr | None) -> object:
    """The value of a literal, None for anything else."""
    try:
        return ast.literal_eval(node) if node is not None else None
    except ValueError:
        return None


def keyword(call: ast.Call, name: str) -> ast.expr | None:
    return next((item.value for item in call.keywords if item.arg == name), None)
