from __future__ import annotations

from collections.abc import Iterable, Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import enum_labels, evidence, names
from migrations_app.engines.risk.facts import Question
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.names import Node
from migrations_app.engines.risk.rows import asking
from migrations_app.engines.risk.session import Relation, Session
from migrations_app.engines.risk.statements import Statement

_CATALOG = ("pg_enum", "pg_catalog.pg_enum")


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    if statement.node_name != "alter_table_stmt":
        name = names.of_range(statement.node.relation)
        if name in _CATALOG and not session.relation(name).is_made:
            word = "removed from" if statement.node_name == "delete_stmt" else "changed in"
            message = f"Labels are {word} pg_enum by hand: rows that hold one can no longer be read"
            yield Hit(message, safe_way=_BY_A_NEW_TYPE)
        return
    name = names.of_range(statement.node.relation)
    relation = session.relation(name)
    for command, gone in _swaps(statement, relation, session):
        used = asking.answer(session, _question(relation, command.name, gone))
        message = f"{name}.{command.name} gets a type that lacks the label {', '.join(map(repr, gone))}"
        known = evidence.of_column(relation, relation.column(command.name)) | {"labels": list(gone)}
        why = evidence.in_words(relation)
        if used is not None:
            known["used"] = bool(used)
            why = "There are rows that hold it." if used else "No row holds it now; programs may still write it."
        fails = "22P02" if used and enum_labels.is_plain_cast(command, command.name) else None
        yield Hit(message, name, command.name, why, known, fails=fails)


def ask(statement: Statement, session: Session) -> Iterable[Question | None]:
    if statement.node_name == "alter_table_stmt":
        relation = session.relation(names.of_range(statement.node.relation))
        for command, gone in _swaps(statement, relation, session):
            yield _question(relation, command.name, gone)


def _swaps(statement: Statement, relation: Relation, session: Session) -> Iterator[tuple[Node, tuple[str, ...]]]:
    """The subcommands that take a column from one enum to another, with the labels that the new one lacks."""
    if relation.holds_nothing_old:
        return
    for item in statement.node.cmds:
        command = item.alter_table_cmd
        if command.subtype != pg.AT_AlterColumnType:
            continue
        column = relation.column(command.name)
        if (column.origin is None and not relation.took_in) or column.has_values is False or column.type is None:
            continue
        if gone := enum_labels.missing(column.type, command, statement, session):
            yield command, gone


def _question(relation: Relation, column: str, gone: tuple[str, ...]) -> Question | None:
    known = asking.original(relation, [column])
    if not known:
        return None
    labels = ", ".join("'" + label.replace("'", "''") + "'" for label in gone)
    return asking.any_row(relation, f"{known[0]}::text IN ({labels})")


_BY_A_NEW_TYPE = (
    "Stop writing the label, move the rows that hold it to another one in batches, and make sure that none is left;"
    " then swap the type: ALTER TYPE ... RENAME TO ..._old; CREATE TYPE ... without the label; ALTER TABLE ... ALTER"
    " COLUMN ... TYPE ... USING ...::text::...; DROP TYPE ..._old."
)

RULE = Rule(
    id="enum-value-removal",
    severity="danger",
    nodes=("AT_AlterColumnType", "delete_stmt", "update_stmt"),
    what="An enum loses a label that rows may still hold.",
    why="The rewrite of the column fails on the first row with it, after it has locked the table, or an expression in"
    " USING replaces it for good; a label deleted from the catalog makes its rows unreadable.",
    safe_way="Stop writing the label; move the rows that hold it, in batches: UPDATE {table} SET {column} = another"
    " label WHERE {column} = the label; make sure that SELECT count(*) is 0; then swap the type.",
    check=check,
    ask=ask,
)
