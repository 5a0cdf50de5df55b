"""SQL text into statements, by PostgreSQL's own parser."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import postgast
from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import parser
from migrations_app.engines.risk.names import Node
from migrations_app.errors import Invalid

_OBJECTS = {
    pg.OBJECT_TABLE: "TABLE",
    pg.OBJECT_INDEX: "INDEX",
    pg.OBJECT_VIEW: "VIEW",
    pg.OBJECT_MATVIEW: "MATERIALIZED VIEW",
    pg.OBJECT_SCHEMA: "SCHEMA",
    pg.OBJECT_SEQUENCE: "SEQUENCE",
    pg.OBJECT_TYPE: "TYPE",
    pg.OBJECT_DOMAIN: "DOMAIN",
    pg.OBJECT_EXTENSION: "EXTENSION",
    pg.OBJECT_FUNCTION: "FUNCTION",
    pg.OBJECT_PROCEDURE: "PROCEDURE",
    pg.OBJECT_ROUTINE: "ROUTINE",
    pg.OBJECT_TRIGGER: "TRIGGER",
    pg.OBJECT_POLICY: "POLICY",
    pg.OBJECT_RULE: "RULE",
    pg.OBJECT_FOREIGN_TABLE: "FOREIGN TABLE",
    pg.OBJECT_COLUMN: "COLUMN",
    pg.OBJECT_TABCONSTRAINT: "CONSTRAINT",
}
_KINDS = {
    "create_stmt": "CREATE TABLE",
    "create_table_as_stmt": "CREATE TABLE AS",
    "index_stmt": "CREATE INDEX",
    "reindex_stmt": "REINDEX",
    "view_stmt": "CREATE VIEW",
    "rule_stmt": "CREATE RULE",
    "create_trig_stmt": "CREATE TRIGGER",
    "create_seq_stmt": "CREATE SEQUENCE",
    "alter_seq_stmt": "ALTER SEQUENCE",
    "create_enum_stmt": "CREATE TYPE",
    "alter_enum_stmt": "ALTER TYPE",
    "create_schema_stmt": "CREATE SCHEMA",
    "create_function_stmt": "CREATE FUNCTION",
    "create_extension_stmt": "CREATE EXTENSION",
    "create_domain_stmt": "CREATE DOMAIN",
    "dropdb_stmt": "DROP DATABASE",
    "drop_owned_stmt": "DROP OWNED",
    "variable_set_stmt": "SET",
    "refresh_mat_view_stmt": "REFRESH MATERIALIZED VIEW",
}


# Not frozen only because that makes it three times as slow to make, and there are 60,000 of them in a dump.
@dataclass(slots=True, eq=False)
class Statement:
    """One statement, or one that runs inside another: then `inside` says where and `index` is that of the outer.

    Never changed once it is made.
    """

    index: int
    line: int
    sql: str
    node_name: str
    node: Node
    inside: str = ""
    is_conditional: bool = False
    ctes: Mapping[str, Node] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """What a person calls it: "DROP TABLE", "ALTER TABLE", "DELETE"."""
        if self.node_name in ("drop_stmt", "alter_table_stmt", "rename_stmt"):
            return _object_kind(self.node_name, self.node)
        return _KINDS.get(self.node_name) or self.node_name.removesuffix("_stmt").replace("_", " ").upper()


def parse(sql: str | Sequence[str]) -> list[Statement]:
    """The statements of a text, or of several texts one after the other. `line` is 1-based within its own text.

    Raises Invalid (code `sql_syntax`, with the line) when PostgreSQL's parser refuses a text or it holds a NUL byte.
    """
    texts = [sql] if isinstance(sql, str) else sql
    found: list[Statement] = []
    for text in texts:
        found.extend(_parse_text(text, first_index=len(found)))
    return found


def _parse_text(text: str, *, first_index: int) -> Iterator[Statement]:
    # libpg_query reads a C string: everything behind a NUL byte would silently go unseen.
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise Invalid.field("/sql", f"Line {line}: the SQL holds a NUL byte, so what follows it cannot be judged.")
    try:
        raw = text.encode()
    except UnicodeEncodeError as error:
        raise Invalid.field("/sql", "The SQL is not valid Unicode text.") from error
    try:
        tree = parser.parse(text)
    except postgast.PgQueryError as error:
        # The parser counts characters here, unlike the places in its tree, which are bytes.
        line = text.count("\n", 0, max(error.cursorpos - 1, 0)) + 1
        detail = f"Line {line}: {error.message}. PostgreSQL would refuse this, so nothing can be said about its risk."
        refusal = Invalid.field("/sql", detail)
        refusal.code = "sql_syntax"
        raise refusal from error
    return _split(raw, text, tree, first_index)


def _split(raw: bytes, text: str, tree: Node, first_index: int) -> Iterator[Statement]:
    line, seen = 1, 0
    # The tree counts bytes; in plain ASCII they are the characters.
    source: str | bytes = text if len(raw) == len(text) else raw
    for index, parsed in enumerate(tree.stmts, start=first_index):
        start, length, wrapped = parsed.stmt_location, parsed.stmt_len, parsed.stmt
        line += raw.count(b"\n", seen, start)
        seen = start
        part = source[start : start + length] if length else source[start:]
        sql = part if isinstance(part, str) else part.decode()
        name = wrapped.WhichOneof("node")
        yield Statement(index, line, sql.rstrip(" \n\t\r\f\v;"), name, getattr(wrapped, name))


def _object_kind(node_name: str, node: Node) -> str:
    if node_name == "drop_stmt":
        return "DROP " + _OBJECTS.get(node.remove_type, "OBJECT")
    if node_name == "alter_table_stmt":
        return "ALTER " + _OBJECTS.get(node.objtype, "TABLE")
    owner = node.relation_type if node.rename_type in (pg.OBJECT_COLUMN, pg.OBJECT_TABCONSTRAINT) else node.rename_type
    return f"ALTER {_OBJECTS.get(owner, 'OBJECT')} RENAME"
