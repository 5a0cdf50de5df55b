"""Everything that a statement runs: itself, and what hides in WITH, EXPLAIN ANALYZE, PREPARE, COPY, DO and calls."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import postgast

from migrations_app.engines.risk import names, overloads, statements
from migrations_app.engines.risk.bodies import BodySql, plpgsql_body
from migrations_app.engines.risk.names import Node, inner
from migrations_app.engines.risk.rows.row_loops import joined
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement
from migrations_app.errors import TidegateError

OPAQUE = "opaque"
"""The node name of what cannot be seen into; its `sql` says what."""

_DEPTH = 8
"""Functions that call each other are followed this far."""
_QUERIES = {
    "SelectStmt": "select_stmt",
    "InsertStmt": "insert_stmt",
    "UpdateStmt": "update_stmt",
    "DeleteStmt": "delete_stmt",
    "MergeStmt": "merge_stmt",
}
_HOLDERS = {
    "prepare_stmt": "PREPARE",
    "copy_stmt": "COPY",
    "create_table_as_stmt": "CREATE TABLE AS",
    "declare_cursor_stmt": "a cursor",
}

HOLDING = frozenset(
    {*_QUERIES.values(), *_HOLDERS, "explain_stmt", "do_stmt", "call_stmt", "execute_stmt"},
)
"""The nodes that may hold another statement, or call a function; all others are just themselves."""


def may_hold(statement: Statement) -> bool:
    """False for a plain INSERT, UPDATE or DELETE, which is most of what a dump is made of."""
    if statement.node_name in ("update_stmt", "delete_stmt"):
        return bool(statement.node.HasField("with_clause"))
    if statement.node_name == "insert_stmt":
        node = statement.node
        if node.HasField("with_clause"):
            return True
        return bool(node.HasField("select_stmt") and node.select_stmt.select_stmt.HasField("with_clause"))
    return True


def unfold(statement: Statement, session: Session, depth: int = 0) -> Iterator[Statement]:
    """The statement and all that runs inside it, in order. Lazy: a later part sees what the session knows by then."""
    name, node = statement.node_name, statement.node
    if name in _QUERIES.values():
        yield from _query(statement, session, depth)
        return
    yield statement
    if name == "explain_stmt":
        if any(option.def_elem.defname == "analyze" and _is_on(option.def_elem) for option in node.options):
            yield from _held(statement, node.query, "EXPLAIN ANALYZE", session, depth)
    elif name == "prepare_stmt" and not _is_executed(statement, session):
        return
    elif name == "create_table_as_stmt" and node.into.skip_data and node.query.WhichOneof("node") == "select_stmt":
        # WITH NO DATA: the query is planned and never run.
        return
    elif name in _HOLDERS and node.HasField("query"):
        yield from _held(statement, node.query, _HOLDERS[name], session, depth)
    elif name == "do_stmt":
        language = _option(node.args, "language") or "plpgsql"
        yield from _body(statement, statement.sql, language, "a DO block", session, depth)
    elif name == "call_stmt":
        yield from _calls(statement, [node.funccall], session, depth)
    elif name == "execute_stmt" and node.name not in session.prepared:
        yield opaque(statement, f"EXECUTE {node.name}: what was prepared under this name is not in the input")


def _query(statement: Statement, session: Session, depth: int) -> Iterator[Statement]:
    """A query: first what its WITH clause changes, then the query itself, then the functions that it calls."""
    node = statement.node
    clauses = [node.with_clause] if node.HasField("with_clause") else []
    if statement.node_name == "insert_stmt" and node.HasField("select_stmt"):
        select = inner(node.select_stmt)
        if select.DESCRIPTOR.name == "SelectStmt" and select.HasField("with_clause"):
            clauses.append(select.with_clause)
    ctes = dict(statement.ctes)
    for clause in clauses:
        for item in clause.ctes:
            query = inner(item.common_table_expr.ctequery)
            ctes[item.common_table_expr.ctename] = query
            if query.DESCRIPTOR.name != "SelectStmt":
                inside = statement.inside or "a WITH query"
                hidden = replace(statement, node_name=_QUERIES[query.DESCRIPTOR.name], node=query, inside=inside)
                yield from unfold(replace(hidden, ctes=dict(ctes)), session, depth)
    yield replace(statement, ctes=ctes) if ctes else statement
    if statement.node_name == "select_stmt":
        yield from _calls(statement, list(function_calls(node)), session, depth)


def _is_executed(statement: Statement, session: Session) -> bool:
    """Whether what is prepared here runs later in the input."""
    later = session.statements[statement.index + 1 :] if session.statements else [statement]
    return any(
        each is statement or (each.node_name == "execute_stmt" and each.node.name == statement.node.name)
        for each in later
    )


def _held(statement: Statement, query: Node, inside: str, session: Session, depth: int) -> Iterator[Statement]:
    name = query.WhichOneof("node")
    held = replace(statement, node_name=name, node=getattr(query, name), inside=statement.inside or inside)
    yield from unfold(held, session, depth)


def _calls(statement: Statement, calls: Sequence[Node], session: Session, depth: int) -> Iterator[Statement]:
    """The bodies of functions that the input made or the target has; one that nobody knows is opaque."""
    for call in calls:
        name = names.of_strings(call.funcname)
        plain = names.bare(name)
        made = session.functions.get(plain)
        found = [made] if made is not None else overloads.taking(name, len(call.args), session)
        if found and depth < _DEPTH:
            # Which of several overloads is meant depends on types that are not known here.
            unsure = statement.is_conditional or len(found) > 1
            for each in found:
                yield from _function(replace(statement, is_conditional=unsure), each, plain, session, depth)
        elif found or (
            not (_is_known(plain.lower()) and _is_plain(name)) and not overloads.are_harmless(name, session)
        ):
            yield opaque(statement, f"{name}(): what this function does is not in the input")


def _is_known(name: str) -> bool:
    return name in known_functions() or name in told_functions()


def _is_plain(name: str) -> bool:
    """Whether the schema leaves it to be PostgreSQL's own, or that of a usual extension."""
    return name.rpartition(".")[0] in ("", "pg_catalog", "public", "extensions")


def _function(statement: Statement, made: Statement, name: str, session: Session, depth: int) -> Iterator[Statement]:
    inside = statement.inside or f"{name}()"
    if made.node.HasField("sql_body"):
        for node in _bodies(inner(made.node.sql_body)):
            held = replace(statement, node_name=_QUERIES.get(node.DESCRIPTOR.name, ""), node=node, inside=inside)
            yield from unfold(held, session, depth + 1)
        return
    yield from _body(statement, made.sql, _option(made.node.options, "language"), inside, session, depth, made)


def of_function(made: Statement, inside: str, statement: Statement, session: Session) -> Iterator[Statement]:
    """What a function runs that the statement sets off, as a trigger does."""
    yield from _function(replace(statement, inside=inside, is_conditional=True), made, inside, session, 1)


def _bodies(node: Node) -> Iterator[Node]:
    if node.DESCRIPTOR.name == "List":
        for item in node.items:
            yield from _bodies(inner(item))
    else:
        yield node


def _body(
    statement: Statement,
    definition: str,
    language: str,
    inside: str,
    session: Session,
    depth: int,
    made: Statement | None = None,
) -> Iterator[Statement]:
    inside = statement.inside or inside
    if language.lower() == "sql" and made is not None:
        pieces = [BodySql(_option(made.node.options, "as"), "", False)]
    elif language.lower() == "plpgsql":
        try:
            pieces = plpgsql_body(definition)
        except postgast.PgQueryError as error:
            yield opaque(statement, f"{inside}: the body cannot be read ({error.message})")
            return
    else:
        yield opaque(statement, f"{inside}: written in {language}, which is not read")
        return
    for piece in pieces:
        yield from _piece(statement, piece, inside, session, depth)


def _piece(statement: Statement, piece: BodySql, inside: str, session: Session, depth: int) -> Iterator[Statement]:
    if piece.sql is None:
        # What a rehearsal recorded of it stands behind this statement.
        if not session.is_resolved:
            yield opaque(statement, f"{inside}: EXECUTE {piece.source}")
        return
    try:
        parsed = statements.parse(piece.sql)
    except TidegateError:
        yield opaque(statement, f"{inside}: {piece.sql.strip()[:200]}")
        return
    for part in parsed:
        yield from unfold(
            replace(
                joined(part, piece.loops),
                index=statement.index,
                line=statement.line,
                inside=inside,
                is_conditional=statement.is_conditional or piece.is_conditional,
            ),
            session,
            depth + 1,
        )


def opaque(statement: Statement, what: str) -> Statement:
    """In place of what cannot be seen into."""
    return replace(statement, node_name=OPAQUE, node=None, sql=what)


def _option(options: Sequence[Node], name: str) -> str:
    """The text of a DO or CREATE FUNCTION option ("as", "language")."""
    for option in options:
        if option.def_elem.defname == name:
            argument = inner(option.def_elem.arg)
            return names.of_strings(argument.items) if argument.DESCRIPTOR.name == "List" else str(argument.sval)
    return ""


def _is_on(option: Node) -> bool:
    if not option.HasField("arg"):
        return True
    argument = inner(option.arg)
    value = getattr(argument, "sval", None) or getattr(argument, "boolval", None) or getattr(argument, "ival", None)
    return str(value).lower() not in ("false", "off", "0", "none")


def function_calls(node: Node) -> Iterator[Node]:
    """Every function call in a tree."""
    node = inner(node)
    if node.DESCRIPTOR.name == "FuncCall":
        yield node
    for field, value in node.ListFields():
        if field.type == field.TYPE_MESSAGE:
            for child in [value] if hasattr(value, "DESCRIPTOR") else value:
                yield from function_calls(child)


@cache
def known_functions() -> frozenset[str]:
    """Functions whose call hides nothing."""
    text = (Path(__file__).parent / "known_functions.txt").read_text()
    return frozenset(word for line in text.splitlines() if not line.startswith("#") for word in line.split())


@cache
def told_functions() -> frozenset[str]:
    """Functions that rules of their own speak of: not opaque, and yet nothing that could be called without effect."""
    return frozenset((Path(__file__).parent / "told_functions.txt").read_text().split())
