from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import calls, names
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.names import Node, inner
from migrations_app.engines.risk.nested import function_calls
from migrations_app.engines.risk.rows.constants import constant
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement

_FOLLOWS = {"max", "min", "nextval", "currval", "lastval", "count", "pg_sequence_last_value"}
"""A value that is computed by these goes by the rows or by the counter itself."""


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    node = statement.node
    if statement.node_name == "select_stmt":
        for _, call in calls.of(statement, {"setval"}):
            yield from _of_setval(call, session)
    elif statement.node_name == "truncate_stmt":
        for item in node.relations if node.restart_seqs else ():
            yield from _restarted(names.of_range(item.range_var), session)
    elif statement.node_name == "alter_seq_stmt":
        yield from _of_options(node.options, names.of_range(node.sequence), session)
    else:
        table = names.of_range(node.relation)
        for item in node.cmds:
            command = item.alter_table_cmd
            if command.subtype == pg.AT_SetIdentity and session.relation(table).column(command.name).origin is not None:
                sequence = _owned_by(table, command.name, session)
                yield from _of_options(getattr(command, "def").list.items, sequence, session)


def _restarted(table: str, session: Session) -> Iterator[Hit]:
    """TRUNCATE ... RESTART IDENTITY of a table with rows that the catalog shows to be numbered."""
    relation = session.relation(table)
    if relation.facts is None or relation.holds_nothing_old:
        return
    for column in relation.facts.columns.values():
        if column.identity or (column.default or "").startswith("nextval("):
            sequence = _owned_by(table, column.name, session)
            yield from _moved(sequence, None, f"TRUNCATE ... RESTART IDENTITY sets {sequence} back", session)


def _of_options(options: Any, sequence: str, session: Session) -> Iterator[Hit]:
    for option in options:
        if option.def_elem.defname == "restart":
            given = option.def_elem.HasField("arg")
            value = _number(option.def_elem.arg) if given else None
            yield from _moved(sequence, value, f"ALTER ... RESTART sets {sequence} back", session)


def _of_setval(call: Node, session: Session) -> Iterator[Hit]:
    if len(call.args) < 2 or _follows(call.args[1]):
        return
    told = calls.text_of(call.args[0])
    sequence = calls.identifier(told) if told else _serial(call.args[0], session)
    value = constant(call.args[1])
    number = int(value) if isinstance(value, int) and not isinstance(value, bool) else None
    yield from _moved(
        sequence, number, f"setval sets {sequence} to {number if number is not None else 'a value'}", session
    )


def _follows(value: Node) -> bool:
    """max(id), (SELECT max(id) FROM t), (SELECT last_value FROM s), greatest(...) of such."""
    called = {names.bare(names.of_strings(call.funcname)) for call in function_calls(value)}
    return bool(called & _FOLLOWS) or "last_value" in str(value)


def _serial(argument: Node, session: Session) -> str:
    """The sequence of pg_get_serial_sequence('table', 'column')."""
    call = inner(argument)
    if call.DESCRIPTOR.name == "TypeCast":
        call = inner(call.arg)
    if call.DESCRIPTOR.name == "FuncCall" and names.bare(names.of_strings(call.funcname)) == "pg_get_serial_sequence":
        told = [calls.text_of(item) for item in call.args]
        if len(told) == 2 and told[0] and told[1]:
            return _owned_by(calls.identifier(told[0]), told[1], session)
    return "a sequence"


def _owned_by(table: str, column: str, session: Session) -> str:
    """The sequence behind a column, by the catalog; else the name that PostgreSQL would have given it."""
    facts = session.relation(table).facts
    if facts is not None and session.facts is not None:
        owner = f"{facts.qualified}.{session.relation(table).column(column).origin}"
        for name, known in session.facts.sequences.items():
            if known.owned_by == owner:
                return name
    return f"{table}_{column}_seq"


def _moved(sequence: str, value: int | None, what: str, session: Session) -> Iterator[Hit]:
    if session.made_here("sequence", sequence) or _is_of_new_table(sequence, session):
        return
    values = {"name": names.quoted(sequence)}
    known = session.facts.sequence(sequence) if session.facts else None
    if known is None:
        if session.facts is None or sequence == "a sequence":
            yield Hit(what, why="Where it stands now is not known.", values=values)
        return
    if known.last_value is None or (value is not None and (value - known.last_value) * known.increment >= 0):
        return
    table = known.owned_by.rpartition(".")[0] if known.owned_by else None
    is_empty = table is not None and session.relation(table).holds_nothing_old
    evidence = {"last_value": known.last_value} | ({"to": value} if value is not None else {})
    why = f"It stands at {known.last_value:,}."
    yield Hit(what, table, why=why, evidence=evidence, severity="advice" if is_empty else None, values=values)


def _is_of_new_table(sequence: str, session: Session) -> bool:
    """Whether it numbers a table of this input: "orders_id_seq" of a new table orders."""
    bare = names.bare(sequence)
    made = (relation for relation in session.relations.values() if relation.is_made)
    return bare.endswith("_seq") and any(bare.startswith(f"{names.bare(relation.name)}_") for relation in made)


def _number(node: Node) -> int | None:
    node = inner(node)
    if node.DESCRIPTOR.name == "Integer":
        return int(node.ival)
    return int(node.fval) if node.DESCRIPTOR.name == "Float" and node.fval.lstrip("-").isdigit() else None


RULE = Rule(
    id="sequence-reset",
    severity="danger",
    nodes=("alter_seq_stmt", "AT_SetIdentity", "select_stmt", "truncate_stmt"),
    what="A counter is set back, or to a value that nobody has compared with the rows.",
    why="Numbers that were given out are given out again: INSERTs fail with a duplicate key, or without a key two"
    " things share a number. No ROLLBACK takes a setval back.",
    safe_way="Set it by the rows: SELECT setval('{name}', (SELECT max(id) FROM the_table)), in the transaction that"
    " changes them.",
    check=check,
)
