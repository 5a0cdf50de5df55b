"""Calls of PostgreSQL's own functions whose effect a rule speaks of."""

from __future__ import annotations

from collections.abc import Iterator, Set

from migrations_app.engines.risk import names
from migrations_app.engines.risk.names import Node, inner
from migrations_app.engines.risk.nested import function_calls
from migrations_app.engines.risk.statements import Statement


def of(statement: Statement, functions: Set[str]) -> Iterator[tuple[str, Node]]:
    """The bare name and the node of each call of one of these functions, wherever in the query it stands."""
    # The text of what stands in a body may be that of the outer statement; elsewhere it is quicker than the tree.
    text = statement.sql.lower()
    if not statement.inside and not any(function in text for function in functions):
        return
    for call in function_calls(statement.node):
        schema, _, name = names.of_strings(call.funcname).rpartition(".")
        if name in functions and schema in ("", "pg_catalog", "public", "extensions"):
            yield name, call


def text_of(node: Node) -> str | None:
    """A literal in quotes, also with a cast ('orders_id_seq'::regclass); None for anything else."""
    node = inner(node)
    if node.DESCRIPTOR.name == "TypeCast":
        return text_of(node.arg)
    is_text = node.DESCRIPTOR.name == "A_Const" and node.WhichOneof("val") == "sval"
    return str(node.sval.sval) if is_text else None


def identifier(text: str) -> str:
    """What a regclass literal names: 'Public."Orders"' -> public.Orders."""
    parts, part, quoted = [], "", False
    for letter in text:
        if letter == '"':
            quoted = not quoted
        elif letter == "." and not quoted:
            parts.append(part)
            part = ""
        else:
            part += letter if quoted else letter.lower()
    return ".".join([*parts, part])
