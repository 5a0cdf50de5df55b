"""Which names an analysis will want the catalog's word on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import calls, effects, names, nested, statements
from migrations_app.engines.risk.locking import locks
from migrations_app.engines.risk.names import Node
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement
from migrations_app.errors import TidegateError

_UNNAMED = ("the table of ", "the tables in ", "the tables with ")
"""Words that stand for tables which a statement reaches without naming them."""


def needed_tables(sql: str | Sequence[str]) -> frozenset[str]:
    """Unquoted names of relations, and of the indexes, sequences and types that are changed; "schema.*" for a schema
    that is dropped or moved.

    A text that cannot be read names nothing; `analyse` is where it is refused.
    """
    found: set[str] = set()
    session = Session(None, server_version=0, is_transactional=True, statements=[])
    for text in [sql] if isinstance(sql, str) else sql:
        with suppress(TidegateError, RecursionError):
            for statement in statements.parse(text):
                for part in nested.unfold(statement, session):
                    if part.node_name != nested.OPAQUE:
                        found.update(_named(part, session))
                        effects.apply(part, session)
    return frozenset(name for name in found if name and not name.startswith(_UNNAMED))


def _named(part: Statement, session: Session) -> set[str]:
    named = {*locks.footprint(part, session).tables, *_objects(part)}
    if session.search_path != ("public",):
        # After SET search_path a bare name means another table than the reader of the catalog would find.
        named.update([session.qualified(name) for name in named if name])
    return named


def _called(node: Node) -> Iterator[str]:
    """The functions of users, whose bodies are read, and the sequences and tables that others name in quotes."""
    for call in nested.function_calls(node):
        name = names.of_strings(call.funcname)
        if names.bare(name) not in nested.known_functions():
            yield name
        elif names.bare(name) in ("setval", "pg_get_serial_sequence"):
            told = calls.text_of(call.args[0]) if call.args else None
            if told:
                yield calls.identifier(told)


def _objects(part: Statement) -> Iterator[str]:
    """What is named besides the tables that are locked."""
    node = part.node
    if part.node_name in ("select_stmt", "call_stmt"):
        yield from _called(node)
    elif part.node_name == "drop_stmt":
        for item in node.objects:
            name = names.of_object(item)
            yield f"{name}.*" if node.remove_type == pg.OBJECT_SCHEMA else name
            if node.remove_type in (pg.OBJECT_TRIGGER, pg.OBJECT_POLICY, pg.OBJECT_RULE):
                yield name.rpartition(".")[0]
    elif part.node_name in ("alter_domain_stmt", "alter_enum_stmt"):
        yield names.of_strings(node.type_name)
    elif part.node_name == "alter_seq_stmt":
        yield names.of_range(node.sequence)
    elif part.node_name == "rename_stmt":
        if node.rename_type == pg.OBJECT_SCHEMA:
            yield f"{node.subname}.*"
        elif node.HasField("relation"):
            yield names.of_range(node.relation)
        else:
            yield names.of_object(node.object)
    elif part.node_name in ("reindex_stmt", "alter_table_stmt", "index_stmt") and node.HasField("relation"):
        yield names.of_range(node.relation)
