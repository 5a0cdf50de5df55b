"""What the body of a DO block or a function runs: its static SQL, and where SQL is put together at run time."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import postgast

from migrations_app.engines.risk.names import Node
from migrations_app.engines.risk.rows.constants import constant
from migrations_app.engines.risk.rows.row_loops import Rows, read_expression

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
_CHOOSES = {"PLpgSQL_stmt_if", "PLpgSQL_stmt_case"}
_LOOPS = {"PLpgSQL_stmt_fors", "PLpgSQL_stmt_forc", "PLpgSQL_stmt_loop", "PLpgSQL_stmt_while"}
_RUNS_SQL = {
    "PLpgSQL_stmt_execsql": "sqlstmt",
    "PLpgSQL_stmt_perform": "expr",
    "PLpgSQL_stmt_call": "expr",
    "PLpgSQL_stmt_fors": "query",
    "PLpgSQL_stmt_return_query": "query",
    "PLpgSQL_stmt_open": "query",
}


_COMPUTES = {
    "PLpgSQL_stmt_assign": "expr",
    "PLpgSQL_stmt_return": "expr",
    "PLpgSQL_stmt_if": "cond",
    "PLpgSQL_if_elsif": "cond",
    "PLpgSQL_stmt_while": "cond",
}
_ENDS = {"PLpgSQL_stmt_commit": "COMMIT", "PLpgSQL_stmt_rollback": "ROLLBACK"}
_ASSIGNED = re.compile(r"[^=]*?:?=")


@dataclass(frozen=True, slots=True)
class BodySql:
    """One piece of SQL in a body. `sql` is None when it is only known at run time; then `source` is its expression."""

    sql: str | None
    source: str
    is_conditional: bool
    loops: tuple[Rows, ...] = ()
    """What the loops around it run over, as long as nothing inside of them chooses among the rows."""


def plpgsql_body(definition: str) -> list[BodySql]:
    """The SQL of a DO block or CREATE FUNCTION in plpgsql, in order. Raises PgQueryError when it cannot be read."""
    found: list[BodySql] = []
    for function in _parsed(definition):
        found.extend(_walk(function, _cursors(function), is_conditional=False, loops=()))
    return found


# libpg_query 18 writes each TG_ variable of a trigger function as "{}}" (its issue 337), which is no JSON.
_UNBALANCED = re.compile(r"(?<=[,\[])\{\}\}(?=,)")


def _parsed(definition: str) -> Any:
    try:
        return postgast.parse_plpgsql(definition)
    except json.JSONDecodeError as error:
        try:
            return json.loads(_UNBALANCED.sub("{}", error.doc))
        except json.JSONDecodeError:
            raise postgast.PgQueryError("the parser gave no answer that can be read") from None


_Cursors: TypeAlias = Mapping[int, Rows]
"""By their number: each declared cursor with its query."""


def _cursors(function: Any) -> _Cursors:
    found = {}
    for number, datum in enumerate(function.get("PLpgSQL_function", {}).get("datums", ())):
        variable = datum.get("PLpgSQL_var", {})
        if query := _query(variable, "cursor_explicit_expr"):
            found[number] = Rows(str(variable["refname"]), query)
    return found


def _walk(tree: Any, cursors: _Cursors, *, is_conditional: bool, loops: tuple[Rows, ...]) -> Iterator[BodySql]:
    if isinstance(tree, list):
        for item in tree:
            yield from _walk(item, cursors, is_conditional=is_conditional, loops=loops)
        return
    if not isinstance(tree, dict):
        return
    for name, content in tree.items():
        yield from (replace(piece, loops=loops) for piece in _own_sql(name, content, is_conditional))
        # A block with an EXCEPTION part may be rolled back as a whole, so that nothing in it is certain.
        guarded = isinstance(content, dict) and "exceptions" in content
        if name == "PLpgSQL_stmt_if" and _is_never(_query(content, "cond")):
            content = {key: part for key, part in content.items() if key != "then_body"}
        around = () if name in _CHOOSES else (*loops, *_runs_over(name, content, cursors))
        conditional = is_conditional or guarded or name in _BRANCHES
        yield from _walk(content, cursors, is_conditional=conditional, loops=around)


def _is_never(condition: str) -> bool:
    """Whether a condition is a constant that is not true."""
    node = read_expression(condition) if condition else None
    return node is not None and constant(node) in (False, None)


def _runs_over(name: str, content: Any, cursors: _Cursors) -> Iterator[Rows]:
    """The variables that a loop sets row by row, if it comes to every row."""
    if name not in _LOOPS or _leaves_out(content.get("body")):
        return
    if name == "PLpgSQL_stmt_fors":
        yield from _set_by(content.get("var", {}), _query(content, "query"))
    elif name == "PLpgSQL_stmt_forc" and content.get("curvar") in cursors:
        cursor = cursors[content["curvar"]]
        yield cursor
        yield from _set_by(content.get("var", {}), cursor.query)
    else:
        for statement in content.get("body", ()):
            fetched = statement.get("PLpgSQL_stmt_fetch", {}).get("curvar")
            if fetched in cursors:
                yield cursors[fetched]
                yield from _set_by(statement["PLpgSQL_stmt_fetch"].get("target", {}), cursors[fetched].query)


def _set_by(variable: Any, query: str) -> Iterator[Rows]:
    if record := variable.get("PLpgSQL_rec"):
        yield Rows(str(record["refname"]), query)
    for place, field in enumerate(variable.get("PLpgSQL_row", {}).get("fields", ())):
        yield Rows(str(field["name"]), query, place)


def _leaves_out(body: Any) -> bool:
    """Whether EXIT or CONTINUE spares rows; EXIT WHEN NOT FOUND is only how such a loop ends."""
    if isinstance(body, list):
        return any(_leaves_out(item) for item in body)
    if not isinstance(body, dict):
        return False
    for name, content in body.items():
        if name == "PLpgSQL_stmt_exit":
            return " ".join(_query(content, "cond").lower().split()) != "not found"
        if _leaves_out(content):
            return True
    return False


def _own_sql(name: str, content: Any, is_conditional: bool) -> Iterator[BodySql]:
    if not isinstance(content, dict):
        return
    if (field := _RUNS_SQL.get(name)) and (query := _query(content, field)):
        yield BodySql(query, query, is_conditional)
    if (field := _COMPUTES.get(name)) and (expression := _query(content, field)):
        value = _ASSIGNED.sub("", expression, 1) if name == "PLpgSQL_stmt_assign" else expression
        if _may_read(value):
            yield BodySql(f"SELECT {value}", value, is_conditional)
    if name in _ENDS:
        yield BodySql(_ENDS[name], _ENDS[name], is_conditional)
    if name in _DYNAMIC or "dynquery" in content:
        expression = _query(content, _DYNAMIC.get(name, "dynquery"))
        yield BodySql(constant_text(expression), expression, is_conditional)


def _may_read(expression: str) -> bool:
    """Whether an expression has a subquery or calls a function; one that cannot be read is left to PostgreSQL."""
    return "(" in expression and read_expression(expression) is not None


def _query(content: dict[str, Any], field: str) -> str:
    expression = content.get(field)
    if not isinstance(expression, dict):
        return ""
    return str(expression.get("PLpgSQL_expr", {}).get("query", ""))


def constant_text(expression: str) -> str | None:
    """The text that a plpgsql expression always yields: literals, `||`, format() and quote_ident() over literals; else
    None."""
    node = read_expression(expression)
    return _fold_text(node) if node is not None else None


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
    if kind == "func_call":
        arguments = [_fold_text(argument) for argument in node.func_call.args]
        called = node.func_call.funcname[-1].string.sval
        if called == "format":
            return _format(arguments)
        if called in _QUOTES and len(arguments) == 1 and arguments[0] is not None:
            return _quoted(arguments[0], _QUOTES[called])
    return None


_QUOTES = {"quote_ident": '"', "quote_literal": "'"}


def _quoted(text: str, mark: str) -> str:
    return mark + text.replace(mark, mark * 2) + mark


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
        if letter in ("I", "L"):
            value = _quoted(value, '"' if letter == "I" else "'")
        pieces.append(before + value)
    return "".join(pieces) + text
