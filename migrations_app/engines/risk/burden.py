"""Long work on a table that others use: whether anybody feels it, and how much of it there is on this target."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import evidence, names
from migrations_app.engines.risk.findings import Hit
from migrations_app.engines.risk.locking.alter_locks import Subcommand
from migrations_app.engines.risk.names import Node
from migrations_app.engines.risk.session import Relation, Session
from migrations_app.engines.risk.statements import Statement

SMALL_ROWS = 10_000
"""Below this a scan or a rewrite is a matter of a second."""


def is_felt(relation: Relation) -> bool:
    """Whether others use the table, or old rows came into it: not for one that this input made, nor an absent one."""
    return relation.is_existing or relation.took_in


def subcommands(statement: Statement, session: Session, *subtypes: int) -> Iterator[Subcommand]:
    """The subcommands of these kinds of an ALTER TABLE, when the table is one that others use."""
    node = statement.node
    name = names.of_range(node.relation)
    relation = session.relation(name)
    if is_felt(relation):
        for item in node.cmds:
            if item.alter_table_cmd.subtype in subtypes:
                only = not node.relation.inh
                yield Subcommand(name, relation, item.alter_table_cmd, session, is_only=only, beside=node.cmds)


def added_constraints(statement: Statement, session: Session, *kinds: int) -> Iterator[tuple[Subcommand, Node]]:
    """ADD CONSTRAINT of these kinds, each with its definition."""
    for at in subcommands(statement, session, pg.AT_AddConstraint):
        constraint = getattr(at.command, "def").constraint
        if constraint.contype in kinds:
            yield at, constraint


def hit(
    name: str,
    relation: Relation,
    message: str,
    column: str | None = None,
    *,
    why: str = "",
    known: Mapping[str, Any] | None = None,
    **more: Any,
) -> Hit:
    """A finding about this table, with its size. On a table that the catalog proves to be empty it is only advice."""
    if relation.holds_nothing_old:
        more["severity"] = "advice"
    found = evidence.of_table(relation) | dict(known or {})
    return Hit(message, name, column, f"{why} {in_words(relation)}".strip(), found, **more)


def in_words(relation: Relation) -> str:
    """How much there is to do."""
    facts = relation.facts
    words = evidence.in_words(relation)
    if facts is None or relation.holds_nothing_old or facts.rows is None or facts.rows >= SMALL_ROWS:
        return words
    return f"{words} That is little: here the work itself is brief."


def constraint_name(constraint: Node) -> str:
    """As people call it, also before PostgreSQL has chosen a name."""
    return f" {constraint.conname}" if constraint.conname else ""


def column_names(constraint: Node) -> list[str]:
    return [key.string.sval for key in constraint.keys]


def lacks_partition_key(relation: Relation, columns: Sequence[str]) -> bool:
    """Whether these columns cannot be unique on a partitioned table: all that it is partitioned by must be in them."""
    key = relation.facts.partition_key if relation.facts is not None else ""
    inside = key.partition(" (")[2].removesuffix(")")
    return any(part.strip().strip('"') not in columns for part in inside.split(",")) if inside else False


def built_keys(statement: Statement, session: Session, kind: int, *, suffix: str, message: str) -> Iterator[Hit]:
    """A PRIMARY KEY or UNIQUE constraint that builds its index at once. `message` may name {columns} and {table}."""
    for at, constraint in added_constraints(statement, session, kind):
        if constraint.indexname:
            continue
        keys = column_names(constraint)
        columns = ", ".join(map(names.quoted, keys))
        name = constraint.conname or f"{names.bare(at.name)}_{suffix}"
        values = {"name": names.quoted(name), "columns": columns}
        fails = "0A000" if lacks_partition_key(at.relation, keys) else None
        yield hit(at.name, at.relation, message.format(columns=columns, table=at.name), values=values, fails=fails)
