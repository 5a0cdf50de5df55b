"""What the body of a DO block or a function runs: its static SQL, and where SQL is put together at run time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import postgast

from migrations_app.engines.risk import parser
from migrations_app.engines.risk.names import Node
from migrations_app.errors import TooLarge

_DYNAMIC = {"PLpgSQL_stmt_dynexecute": "query", "PLpgSQL_stmt_dynfors": "query"}
_BRANCHES = {
    "PLpgSQL_stmt_if",
    "PLpgSQL_stmt_case",
    "PLpgSQL_stmt_loop",
    "PLpgSQL_stmt_while",
    "PLpgSQL_stmt_fori",
    "PLpgSQL_stmt_fors",
    "PLpgSQL_stmt_forc",
    "PLpgSQL_stmt_dynfors",
    "PLpgSQL_stmt_foreach_a",
    "PLpgSQL_exception_block",
}
_RUNS_SQL = {
    "PLpgSQL_stmt_execsql": "sqlstmt",
    "PLpgSQL_stmt_perform": "expr",
    "PLpgSQL_stmt_call": "expr",
    "PLpgSQL_stmt_fors": "query",
    "PLpgSQL_stmt_return_query": "query",
    "PLpgSQL_stmt_open": "query",
}


@dataclass(frozen=True, slots=True)
class BodySql:
    """One piece of SQL in a body. `sql` is None when it is only known at run time; then `source` is its expression."""

    sql: str | None
    source: str
    is_conditional: bool


def plpgsql_body(definition: str) -> list[BodySql]:
    """The SQL of a DO block or CREATE FUNCTION in plpgsql, in order. Raises PgQueryError when it cannot be read."""
    functions = postgast.parse_plpgsql(definition)
    return [found for function in functions for found in _walk(function, is_conditional=False)]


def _walk(tree: Any, *, is_conditional: bool) -> Iterator[BodySql]:
    if isinstance(tree, list):
        for item in tree:
            yield from _walk(item, is_conditional=is_conditional)
        return
    if not isinstance(tree, dict):
        return
    for name, content in tree.items():
        yield from _own_sql(name, content, is_conditional)
        # A block with an EXCEPTION part may be rolled back as a whole, so that nothing in it is certain.
        guarded = isinstance(content, dict) and "exceptions" in content
        yield from _walk(content, is_conditional=is_conditional or guarded or name in _BRANCHES)


def _own_sql(name: str, content: Any, is_conditional: bool) -> Iterator[BodySql]:
    if not isinstance(content, dict):
        return
    if (field := _RUNS_SQL.get(name)) and (query := _query(content, field)):
        yield BodySql(query, query, is_conditional)
    if name in _DYNAMIC or "dynquery" in content:
        expression = _query(content, _DYNAMIC.get(name, "dynquery"))
        yield BodySql(constant_text(expression), expression, is_conditional)


def _query(content: dict[str, Any], field: str) -> str:
    expression = content.get(field)
    if not isinstance(expression, dict):
        return ""
    return str(expression.get("PLpgSQL_expr", {}).get("query", ""))


def constant_text(expression: str) -> str | None:
    """The text that a plpgsql expression always yields: literals, `||` and format() over literals; else None."""
    try:
        tree = parser.parse(f"SELECT {expression}")
    except (postgast.PgQueryError, TooLarge):
        return None
    targets = tree.stmts[0].stmt.select_stmt.target_list
    return _fold_text(targets[0].res_target.val) if len(targets) == 1 else None


def _fold_text(node: Node) -> str | None:
    kind = node.WhichOneof("node")
    if kind == "a_const":
        constant = node.a_const
        if constant.WhichOneof("val") == "sval":
            return str(constant.sval.sval)
        return str(constant.ival.ival) if constant.WhichOneof("val") == "ival" else None
    if kind == "type_cast":
        return _fold_text(node.type_cast.arg)
    if kind == "a_expr" and [part.string.sval for part in node.a_expr.name] == ["||"]:
        parts = [_fold_text(node.a_expr.lexpr), _fold_text(node.a_expr.rexpr)]
        return None if None in parts else "".join(part for part in parts if part is not None)
    if kind == "func_call" and [part.string.sval for part in node.func_call.funcname] == ["format"]:
        return _format([_fold_text(argument) for argument in node.func_call.args])
    return None


def _format(arguments: list[str | None]) -> str | None:
    """PostgreSQL's format() over constants, with the plain %s, %I, %L and %% only."""
    known = [argument for argument in arguments if argument is not None]
    if not known or len(known) != len(arguments):
        return None
    pieces, values, text = [], iter(known[1:]), known[0]
    while "%" in text:
        before, _, text = text.partition("%")
        letter, text = text[:1], text[1:]
        value = "%" if letter == "%" else next(values, None) if letter in "sIL" else None
        if value is None:
            return None
        if letter == "I":
            value = '"' + value.replace('"', '""') + '"'
        elif letter == "L":
            value = "'" + value.replace("'", "''") + "'"
        pieces.append(before + value)
    return "".join(pieces) + text
