"""Names in a parse tree, as people write them: "users", "sales.users", unquoted."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, TypeAlias

# The protobuf classes of the parse tree carry no usable types (google.protobuf ships none), so a node is Any here.
Node: TypeAlias = Any

_PLAIN = re.compile(r"[a-z_][a-z0-9_$]*\Z")


def inner(node: Node) -> Node:
    """The concrete message inside a `Node` wrapper; a concrete message is returned as it is."""
    if node.DESCRIPTOR.name != "Node":
        return node
    which = node.WhichOneof("node")
    return getattr(node, which) if which else node


def node_name(node: Node) -> str:
    """The field name of the concrete message ("drop_stmt", "column_ref"); empty for an empty wrapper."""
    return node.WhichOneof("node") or ""


def of_range(relation: Node) -> str:
    """The name of a RangeVar."""
    return f"{relation.schemaname}.{relation.relname}" if relation.schemaname else str(relation.relname)


def of_strings(nodes: Iterable[Node]) -> str:
    """The dotted name of a list of String nodes."""
    return ".".join(node.string.sval for node in nodes if node.WhichOneof("node") == "string")


def of_object(node: Node) -> str:
    """The name of one object of a DROP: a list, a type name, a routine or a plain string."""
    kind = node_name(node)
    if kind == "list":
        return of_strings(node.list.items)
    if kind == "type_name":
        return of_strings(node.type_name.names)
    if kind == "object_with_args":
        return of_strings(node.object_with_args.objname)
    return str(node.string.sval) if kind == "string" else ""


def bare(name: str) -> str:
    """The last part of a name."""
    return name.rpartition(".")[2]


def is_catalog(name: str) -> bool:
    """Whether it is a table of PostgreSQL's own, which no program of the user locks."""
    schema, _, relation = name.rpartition(".")
    return schema in ("pg_catalog", "information_schema") or (not schema and relation.startswith("pg_"))


def quoted(name: str) -> str:
    """The name as SQL that can be pasted: parts are quoted only where they must be."""
    parts = name.split(".")
    return ".".join(part if _PLAIN.match(part) else '"' + part.replace('"', '""') + '"' for part in parts)
