"""What an input does to one table before and after a statement, found without reading all of it each time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from migrations_app.engines.risk import names
from migrations_app.engines.risk.names import Node
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement

_SHAPING = {"create_stmt", "alter_table_stmt", "index_stmt"}


def before(table: str, statement: Statement, session: Session) -> Iterator[Statement]:
    """CREATE TABLE, ALTER TABLE and CREATE INDEX of the table before this statement."""
    return (each for each in _on(table, session) if each.index < statement.index)


def after(table: str, statement: Statement, session: Session) -> Iterator[Statement]:
    """CREATE TABLE, ALTER TABLE and CREATE INDEX of the table after this statement."""
    return (each for each in _on(table, session) if each.index > statement.index)


def commands(statement: Statement, subtype: int) -> Iterator[Node]:
    """The subcommands of this kind of an ALTER TABLE; none of any other statement."""
    if statement.node_name == "alter_table_stmt":
        for item in statement.node.cmds:
            if item.alter_table_cmd.subtype == subtype:
                yield item.alter_table_cmd


def _on(table: str, session: Session) -> list[Statement]:
    by_name: dict[str, list[Statement]] | None = session.worked_out.get("look-ahead")
    if by_name is None:
        by_name = session.worked_out["look-ahead"] = defaultdict(list)
        # By place, for a large input shows only what is near to those that go through it.
        for place in range(len(session.statements)):
            each = session.statements[place]
            if each.node_name in _SHAPING:
                by_name[each.node.relation.relname].append(each)
    key = session.qualified(table)
    found = by_name.get(names.bare(table), [])
    return [each for each in found if session.qualified(names.of_range(each.node.relation)) == key]
