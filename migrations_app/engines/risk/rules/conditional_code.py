from __future__ import annotations

import ast
from collections.abc import Iterator

from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.revision_sql import RevisionSql
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement

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


def check(statement: Statement, session: Session) -> Iterator[Hit]:  # noqa: ARG001 - every rule is called alike
    revision: RevisionSql = statement.node
    upgrade = revision.function("upgrade")
    if revision.tree is None or upgrade is None:
        return
    origins = _Origins(revision.tree)
    lines = set()
    for condition in _conditions(upgrade, revision.tree):
        asks = origins.of(condition)
        if asks and condition.lineno not in lines:
            lines.add(condition.lineno)
            message = f"What upgrade() does depends on {asks}: it differs from one database to the next"
            yield Hit(message, evidence={"condition": ast.unparse(condition)[:200]}, line=condition.lineno)


def _conditions(upgrade: ast.FunctionDef, tree: ast.Module) -> Iterator[ast.expr]:
    """What decides in upgrade(), and in the file's own functions that it calls, at any depth."""
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    seen: set[str] = set()
    waiting = [upgrade]
    while waiting:
        function = waiting.pop()
        seen.add(function.name)
        for node in ast.walk(function):
            if isinstance(node, (ast.If, ast.IfExp, ast.While)):
                yield node.test
            elif isinstance(node, ast.For):
                yield node.iter
            elif isinstance(node, ast.Match):
                yield node.subject
            elif isinstance(node, ast.Name) and node.id in functions and node.id not in seen:
                seen.add(node.id)
                waiting.append(functions[node.id])


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
                return "the environment that it is started in"
            if name in _ABOUT_THE_DATABASE:
                return "what the database looks like"
            if name in _ROWS:
                return "rows of the database"
            if isinstance(node, ast.Name) and node.id in self.known:
                return self.known[node.id]
        return ""


RULE = Rule(
    id="conditional-code",
    severity="hazard",
    nodes=("@revision",),
    what="upgrade() decides by an environment variable, or by asking the database, what it does.",
    why="Two databases at the same revision then have different schemas, and what was tried on one of them says nothing"
    " about the other.",
    safe_way="Write the statements without the branch; where an object may or may not be there, say so in SQL"
    " (CREATE TABLE IF NOT EXISTS, DROP INDEX IF EXISTS). If it must stay, rehearse the revision on a copy of each"
    " target's schema, which records the branch that is really taken there.",
    check=check,
)
