"""What a DROP of types, extensions, routines, triggers and policies finds on the target, and what is made again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import names
from migrations_app.engines.risk.facts import FunctionFacts
from migrations_app.engines.risk.names import Node
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement

ROUTINES = (pg.OBJECT_FUNCTION, pg.OBJECT_PROCEDURE, pg.OBJECT_ROUTINE, pg.OBJECT_AGGREGATE)
TYPES = (pg.OBJECT_TYPE, pg.OBJECT_DOMAIN)


@dataclass(frozen=True)
class Uses:
    """What stands on an object, in words. `columns` are those that hold values of a type; `others` the rest."""

    columns: tuple[str, ...] = ()
    others: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        return (*(f"column {column}" for column in self.columns), *self.others)


def type_uses(name: str, statement: Statement, session: Session) -> Uses | None:
    """What still is of this type at this point of the input; None when the catalog was not asked, or has no such."""
    known = session.facts.type_of(original_type(name, statement, session)) if session.facts else None
    if known is None or session.facts is None:
        return None
    moved = _moved_since(_renaming(name, statement, session), statement, session)
    columns = tuple(column for column in known.columns if column not in moved and _is_there(column, session))
    bare = names.bare(original_type(name, statement, session))
    routines = [each for overloads in session.facts.functions.values() for each in overloads]
    others = [f"function {each.qualified}" for each in routines if bare in each.arguments.replace("[]", "").split()]
    domains = [other for other, facts in session.facts.types.items() if names.bare(facts.base) == bare]
    return Uses(columns, (*others, *(f"domain {domain}" for domain in domains)))


def original_type(name: str, statement: Statement, session: Session) -> str:
    """The name that the type has in the catalog, when the input renamed it."""
    renaming = _renaming(name, statement, session)
    return names.of_object(renaming.node.object) if renaming else name


def _renaming(name: str, statement: Statement, session: Session) -> Statement | None:
    """The ALTER TYPE ... RENAME of this input that gave the type its name."""
    for earlier in reversed(session.statements[: max(statement.index, 0)]):
        node = earlier.node
        if earlier.node_name == "rename_stmt" and node.rename_type in TYPES and node.newname == names.bare(name):
            return earlier
    return None


def _moved_since(renaming: Statement | None, statement: Statement, session: Session) -> set[str]:
    """The "schema.table.column" that this input has given another type; of a renamed type, since then."""
    first = renaming.index if renaming else 0
    return {
        f"{session.qualified(names.of_range(each.node.relation))}.{item.alter_table_cmd.name}"
        for each in session.statements[first : max(statement.index, 0)]
        if each.node_name == "alter_table_stmt"
        for item in each.node.cmds
        if item.alter_table_cmd.subtype == pg.AT_AlterColumnType
    }


def _is_there(column: str, session: Session) -> bool:
    """Whether a "schema.table.column" of the catalog has not been dropped by the input."""
    table, _, name = column.rpartition(".")
    relation = session.relation(table)
    if relation.is_absent:
        return False
    # A column without an origin stands in the place of one that was dropped or renamed.
    kept = any(each.origin == name for each in relation.columns.values())
    return kept or name not in relation.columns


def routines(item: Node, session: Session) -> tuple[FunctionFacts, ...] | None:
    """The overloads that a DROP FUNCTION may mean; None without a catalog. By number of arguments, not by type."""
    if session.facts is None:
        return None
    found = session.facts.function(names.of_object(item))
    call = item.object_with_args
    if call.args_unspecified:
        return found
    return tuple(each for each in found if _count(each.arguments) in (len(call.objargs), len(call.objfuncargs)))


def _count(arguments: str) -> int:
    """ "a integer, b numeric(10,2)" -> 2. Arguments that only go out are no part of a function's identity."""
    depth, parts = 0, 1 if arguments else 0
    for letter in arguments:
        depth += {"(": 1, ")": -1}.get(letter, 0)
        parts += letter == "," and depth == 0
    return parts


def later(statement: Statement, session: Session, *node_names: str) -> Iterator[Statement]:
    """What the input does afterwards, of these kinds."""
    return (each for each in session.statements[statement.index + 1 :] if each.node_name in node_names)
