from __future__ import annotations

from collections.abc import Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import column_types, names
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.names import Node
from migrations_app.engines.risk.session import Relation, Session
from migrations_app.engines.risk.statements import Statement

_AS_IT_WAS = "the subscriber still has it, and its rows get NULL or the default there"


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    if session.facts is None or not session.facts.publications:
        return
    if statement.node_name == "drop_stmt":
        for item in statement.node.objects:
            yield from _hit(names.of_object(item), "is dropped: the subscriber keeps its copy", session)
        return
    node = statement.node
    name = names.of_range(node.relation)
    if statement.node_name == "alter_object_schema_stmt":
        yield from _hit(name, f"moves to {node.newschema}, where the subscriber has no such table", session)
    elif statement.node_name == "rename_stmt":
        what = f"is renamed to {node.newname}" if node.rename_type == pg.OBJECT_TABLE else f"renames {node.subname}"
        yield from _hit(name, f"{what}: the subscriber finds tables and columns by name, and stops", session)
    else:
        relation = session.relation(name)
        for item in node.cmds:
            if what := _change(relation, item.alter_table_cmd):
                yield from _hit(name, what, session)


def _hit(name: str, what: str, session: Session) -> Iterator[Hit]:
    relation = session.relation(name)
    if relation.is_existing and relation.facts is not None and relation.facts.publications:
        publications = list(relation.facts.publications)
        why = f"It is published by {', '.join(publications)}."
        yield Hit(f"{name}, which is published, {what}", name, why=why, evidence={"publications": publications})


def _change(relation: Relation, command: Node) -> str:
    """What a subcommand changes that subscribers must follow; empty when it does not concern them."""
    if command.subtype == pg.AT_DropConstraint:
        key = relation.constraint(command.name)
        is_identity = key is not None and key.kind == "primary" and relation.facts is not None
        # Only while the primary key is how subscribers find rows.
        if is_identity and relation.facts is not None and relation.facts.replica_identity == "d":
            return "loses its primary key: UPDATE and DELETE on it are refused (55000) until it has an identity again"
        return ""
    if command.subtype == pg.AT_ReplicaIdentity:
        nothing = getattr(command, "def").replica_identity_stmt.identity_type == "n"
        return "loses its replica identity: UPDATE and DELETE on it are refused (55000)" if nothing else ""
    column = relation.column(command.name)
    if column.origin is None:
        return ""
    if command.subtype == pg.AT_DropColumn:
        return f"loses the column {command.name}: {_AS_IT_WAS}"
    if command.subtype == pg.AT_AlterColumnType:
        new = column_types.from_node(getattr(command, "def").column_def.type_name)
        if column.type is None or column_types.parse(column.type) != new:
            return f"gets {command.name} of type {new}: a value that does not fit there stops the subscriber"
    return ""


RULE = Rule(
    id="publication-impact",
    severity="hazard",
    nodes=(
        "AT_DropColumn", "AT_AlterColumnType", "AT_DropConstraint", "AT_ReplicaIdentity", "drop_stmt/OBJECT_TABLE",
        "rename_stmt/OBJECT_TABLE", "rename_stmt/OBJECT_COLUMN", "alter_object_schema_stmt",
    ),
    what="A table that is published for logical replication changes its shape.",
    why="Only rows are replicated, never the change of the table. A subscriber whose table does not match stops with"
    " an error, and until somebody mends it the replication slot here keeps all WAL, up to a full disk.",
    safe_way="Change the subscribers first where the new shape takes old rows too (a wider type), else this side first;"
    " for a rename or a drop take {table} out of the publication before: ALTER PUBLICATION ... DROP TABLE {table}.",
    check=check,
)  # fmt: skip
