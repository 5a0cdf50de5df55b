"""What a person may write as a SET expression or a WHERE: exactly one SQL expression, whatever it contains.

The text is spliced into our UPDATE, so it is parsed twice, bare and in parentheses: text that closes our parenthesis,
adds a clause, hides the rest behind a comment or ends the statement cannot pass both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import postgast
from postgast import pg_query_pb2 as pb

from migrations_app.engines.backfill.tables import writable

LONGEST = 20_000


@dataclass(frozen=True)
class Shape:
    """What an expression mentions: the last part of each column and function name, and whether it has a subquery."""

    columns: frozenset[str]
    functions: frozenset[str]
    has_subquery: bool


def fault(text: str) -> str | None:
    """Why this is not one SQL expression, in words; None when it is."""
    if not text.strip():
        return "is empty; write one SQL expression"
    if not writable(text):
        return "contains a NUL byte or half a character, which PostgreSQL cannot take"
    if len(text) > LONGEST:
        return f"is {len(text)} characters long; the limit is {LONGEST}"
    for statement in (f"SELECT {text}\n", f"SELECT ({text}\n)"):
        try:
            tree = postgast.parse(statement)
        except postgast.PgQueryError as error:
            return f"is not one SQL expression: {error}"
        if (wrong := _not_bare(tree)) is not None:
            return wrong
    if any(postgast.find_nodes(tree, pb.ParamRef)):
        return "contains a parameter such as $1; write the value itself"
    return None


def shape(text: str) -> Shape:
    """Read an expression that has no `fault`."""
    tree = postgast.parse(f"SELECT ({text}\n)")
    columns = frozenset(_last(node.fields) for node in postgast.find_nodes(tree, pb.ColumnRef))
    functions = frozenset(_last(node.funcname) for node in postgast.find_nodes(tree, pb.FuncCall))
    return Shape(columns, functions, any(True for _ in postgast.find_nodes(tree, pb.SubLink)))


def _not_bare(tree: pb.ParseResult) -> str | None:
    if len(tree.stmts) != 1:
        return "contains several statements; write one SQL expression"
    select = tree.stmts[0].stmt.select_stmt
    clauses = {field.name for field, _ in select.ListFields()} - {"target_list", "limit_option", "op"}
    if clauses or select.op != pb.SETOP_NONE:
        return "is more than one expression: it adds a clause to the statement around it"
    if len(select.target_list) != 1:
        return f"is {len(select.target_list)} expressions; write exactly one"
    if select.target_list[0].res_target.name:
        return "gives the expression a name (AS ...); write the expression alone"
    return None


def _last(parts: Any) -> str:
    """The last part of a dotted name in a parse tree; "*" for a whole row."""
    names = [part.string.sval for part in parts if part.HasField("string")]
    return names[-1] if names else "*"
