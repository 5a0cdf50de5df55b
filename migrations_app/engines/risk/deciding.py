"""What decides in upgrade(): the environment, the look of the database, its rows; and the branches not taken here."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from migrations_app.engines.risk import names, revision_source
from migrations_app.engines.risk.revision_sql import RevisionSql

ENVIRONMENT = "the environment that it is started in"
DATABASE = "what the database looks like"
ROWS = "rows of the database"
_ENVIRONMENT = {"environ", "getenv", "get_x_argument", "get_main_option", "get_section_option"}
_ABOUT_THE_DATABASE = {
    "inspect",
    "get_table_names",
    "get_view_names",
    "get_columns",
    "get_indexes",
    "get_unique_constraints",
    "get_foreign_keys",
    "get_check_constraints",
    "get_pk_constraint",
    "get_enums",
    "get_schema_names",
    "has_table",
    "has_index",
    "has_column",
    "has_schema",
    "has_sequence",
    "server_version_info",
}
_ROWS = {"scalar", "scalar_one", "scalar_one_or_none", "scalars", "fetchone", "fetchall", "first", "one", "one_or_none"}


def conditions(revision: RevisionSql) -> Iterator[tuple[ast.expr, str]]:
    """Each expression on which it depends what upgrade() runs, with what it asks, in words."""
    if revision.tree is None:
        return
    origins = _Origins(revision.tree)
    for function in _called(revision):
        for node in ast.walk(function):
            for expression, told in _deciding(node):
                asks = origins.of(expression)
                if asks in told:
                    yield expression, asks


def _deciding(node: ast.AST) -> Iterator[tuple[ast.expr, Sequence[str]]]:
    """The expressions that decide, each with the origins that count there."""
    if isinstance(node, (ast.If, ast.IfExp, ast.While)):
        yield node.test, (ENVIRONMENT, DATABASE, ROWS)
    elif isinstance(node, ast.Match):
        yield node.subject, (ENVIRONMENT, DATABASE, ROWS)
    elif isinstance(node, ast.For):
        # A loop over rows chooses nothing. Whether all that it runs is known is a question of its own.
        yield node.iter, (ENVIRONMENT, DATABASE)
    elif isinstance(node, ast.Call) and _sends(revision_source.dotted(node.func)):
        yield from ((each, (ENVIRONMENT,)) for each in node.args)


def _sends(called: str) -> bool:
    return called.startswith("op.") or called.rpartition(".")[2] == "execute"


def _called(revision: RevisionSql) -> Iterator[ast.FunctionDef]:
    """upgrade(), and the file's own functions that it calls, at any depth."""
    body = revision.tree.body if revision.tree else []
    functions = {node.name: node for node in body if isinstance(node, ast.FunctionDef)}
    seen = {"upgrade"}
    waiting = [functions["upgrade"]] if "upgrade" in functions else []
    while waiting:
        function = waiting.pop()
        yield function
        for node in ast.walk(function):
            if isinstance(node, ast.Name) and node.id in functions and node.id not in seen:
                seen.add(node.id)
                waiting.append(functions[node.id])


def other_branches(revision: RevisionSql) -> list[str]:
    """The SQL, as far as it is spelled out, that upgrade() runs only in some environments and did not run in ours."""
    if revision.tree is None:
        return []
    origins = _Origins(revision.tree)
    sent = {" ".join(text.rstrip("; \n").split()) for text in revision.sql}
    found: dict[str, None] = {}
    for function in _called(revision):
        for statement in _in_branches(function, origins):
            for name, call in revision_source.calls(statement):
                found.update(dict.fromkeys(_spelled(name, call)))
    return [text for text in found if " ".join(text.rstrip("; \n").split()) not in sent]


def _in_branches(function: ast.FunctionDef, origins: _Origins) -> Iterator[ast.stmt]:
    for node in ast.walk(function):
        for block in (
            part for part in (getattr(node, "body", ()), getattr(node, "orelse", ())) if isinstance(part, list)
        ):
            for place, statement in enumerate(block):
                if isinstance(statement, ast.If) and origins.of(statement.test) == ENVIRONMENT:
                    yield from (*statement.body, *statement.orelse)
                    if any(isinstance(each, ast.Return) for each in (*statement.body, *statement.orelse)):
                        yield from block[place + 1 :]


def _spelled(name: str, call: ast.Call) -> Iterator[str]:
    """The SQL of op.execute("..."), text("..."), op.drop_table("...") and op.drop_column("...", "...")."""
    given = [revision_source.literal(each) for each in call.args]
    texts = [each for each in given if isinstance(each, str)]
    last = name.rpartition(".")[2]
    if last in ("execute", "text") and len(texts) == 1:
        yield texts[0]
    elif name == "op.drop_table" and len(texts) == 1:
        yield f"DROP TABLE {names.quoted(texts[0])}"
    elif name == "op.drop_column" and len(texts) == 2:
        yield f"ALTER TABLE {names.quoted(texts[0])} DROP COLUMN {names.quoted(texts[1])}"


class _Origins:
    """Where the values that a file's conditions look at come from, by name of the variable or function."""

    def __init__(self, tree: ast.Module) -> None:
        self.known: dict[str, str] = {}
        # Twice, for a value may pass through a function that stands further down in the file.
        for _ in range(2):
            for node in ast.walk(tree):
                self._learn(node)

    def _learn(self, node: ast.AST) -> None:
        if isinstance(node, ast.FunctionDef) and node.name not in ("upgrade", "downgrade"):
            told = [self.of(part.value) for part in ast.walk(node) if isinstance(part, ast.Return) and part.value]
            self._keep([node.name], next((each for each in told if each), ""))
        elif isinstance(node, ast.Assign):
            named = [part.id for target in node.targets for part in ast.walk(target) if isinstance(part, ast.Name)]
            self._keep(named, self.of(node.value))
        elif isinstance(node, (ast.AnnAssign, ast.NamedExpr)) and isinstance(node.target, ast.Name) and node.value:
            self._keep([node.target.id], self.of(node.value))

    def _keep(self, named: list[str], origin: str) -> None:
        if origin:
            self.known.update(dict.fromkeys(named, origin))

    def of(self, expression: ast.expr) -> str:
        """In words, what of the surroundings the expression looks at; empty when it is only the file's own values."""
        for node in ast.walk(expression):
            name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
            if name in _ENVIRONMENT:
                return ENVIRONMENT
            if name in _ABOUT_THE_DATABASE:
                return DATABASE
            if name in _ROWS:
                return ROWS
            if isinstance(node, ast.Name) and node.id in self.known:
                return self.known[node.id]
        return ""
