"""The values that a new type cannot take, and the rows that stand in the way of a new partition."""

from __future__ import annotations

import re
from collections.abc import Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import burden, column_types, names
from migrations_app.engines.risk.column_types import ColumnType
from migrations_app.engines.risk.facts import Question
from migrations_app.engines.risk.locking.alter_locks import Subcommand
from migrations_app.engines.risk.names import Node
from migrations_app.engines.risk.rows import asking, expressions, trials
from migrations_app.engines.risk.rows.asking import quoted_one
from migrations_app.engines.risk.rows.trials import Trial
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement

_KEY = re.compile(r"(?:RANGE|LIST) \(\"?([^(),\" ]+)\"?\)\Z")
_CUT = {"varchar", "bpchar"}
_TEXTS = {"text", "varchar", "bpchar"}
_FAMILIES = ({"int2", "int4", "int8", "numeric", "float4", "float8"}, {"date", "time", "timestamp", "timestamptz"})
_UNBOUND = ("minvalue", "maxvalue")


def of_type(statement: Statement, session: Session) -> Iterator[Trial | None]:
    """ALTER COLUMN ... TYPE."""
    for at in burden.subcommands(statement, session, pg.AT_AlterColumnType):
        yield _converted(at)


def _converted(at: Subcommand) -> Trial | None:
    definition = getattr(at.command, "def").column_def
    column = at.relation.column(at.command.name)
    new = column_types.from_node(definition.type_name)
    old = column_types.parse(column.type) if column.type else None
    has_using = definition.HasField("raw_default")
    if old is None or (not has_using and not _is_assigned(old, new)):
        return None
    expression, columns = quoted_one(at.command.name), {at.command.name}
    if has_using:
        using = definition.raw_default
        if not expressions.is_harmless(using):
            return None
        expression, columns = expressions.spelled(using), expressions.columns_of(using) | columns
    target = asking.table_sql(at.relation)
    if target is None or not expression or not trials.columns_as_before(at.relation, columns, at.session):
        return None
    message = f"{at.name}.{at.command.name} holds values that {new} cannot take"
    labels = at.session.type_labels(new.base)
    if labels is not None and at.session.made_here("type", new.base):
        # The type is not on the target yet: its labels stand in for it.
        known = ", ".join("'" + label.replace("'", "''") + "'" for label in labels)
        text = f"({quoted_one(at.command.name)})::text"
        question = asking.any_row(at.relation, f"{text} NOT IN ({known})") if _only_casts(definition) else None
        return _trial(at, message, "22P02", question) if question else None
    if new.base in _CUT and not new.dimensions:
        limit = new.mods[0] if new.mods else (1 if new.base == "bpchar" else None)
        # A cast would cut in silence; ALTER TYPE assigns, which only blanks at the end survive.
        longer = f"rtrim(substr(({expression})::text, {limit} + 1)) <> ''"
        question = asking.any_row(at.relation, longer) if limit is not None else None
        return _trial(at, message, "22001", question) if question else None
    spelled = _type_sql(definition.type_name)
    # Every value has to go through the cast; what it comes to does not matter.
    question = Question(f"SELECT count(({expression})::{spelled}) FROM {target}")  # noqa: S608 - quoted or read
    return _trial(at, message, None, question)


def _is_assigned(old: ColumnType, new: ColumnType) -> bool:
    """Whether PostgreSQL changes the type without USING, and some values may not survive it."""
    alike = any(old.base in family and new.base in family for family in _FAMILIES)
    is_text = new.base in _TEXTS and not new.dimensions
    return (alike or is_text or old.base == new.base) and column_types.narrowing(old, new) is not None


def _trial(at: Subcommand, message: str, fails: str | None, question: Question) -> Trial:
    return Trial(at.relation, at.name, message, fails, question, at.command.name)


def _only_casts(definition: Node) -> bool:
    """Whether the USING expression is the column itself, through casts."""
    node = names.inner(definition.raw_default) if definition.HasField("raw_default") else None
    while node is not None and node.DESCRIPTOR.name == "TypeCast":
        node = names.inner(node.arg)
    return node is None or node.DESCRIPTOR.name == "ColumnRef"


def _type_sql(type_name: Node) -> str:
    """The type as the input spells it."""
    cast = expressions.read("NULL::text")
    assert cast is not None
    cast.type_cast.type_name.CopyFrom(type_name)
    return expressions.spelled(cast).partition("::")[2]


def of_partition(statement: Statement, session: Session) -> Iterator[Trial | None]:
    """CREATE TABLE ... PARTITION OF and ATTACH PARTITION."""
    node = statement.node
    if statement.node_name == "create_stmt":
        if node.HasField("partbound") and len(node.inh_relations) == 1:
            yield _in_default(names.of_range(node.inh_relations[0].range_var), node.partbound, session)
        return
    for item in node.cmds:
        command = getattr(item.alter_table_cmd, "def").partition_cmd
        if item.alter_table_cmd.subtype == pg.AT_AttachPartition and command.HasField("bound"):
            parent = names.of_range(node.relation)
            yield _in_default(parent, command.bound, session)
            yield _outside(parent, names.of_range(command.name), command.bound, session)


def _in_default(parent: str, bound: Node, session: Session) -> Trial | None:
    """A row of the default partition that belongs into the new one."""
    facts = session.relation(parent).facts
    column, inside = _condition(parent, bound, session)
    if facts is None or facts.default_partition is None or not inside:
        return None
    default = session.relation(facts.default_partition)
    if not trials.columns_as_before(default, [column], session, adding=True):
        return None
    question = asking.any_row(default, inside)
    if question is None:
        return None
    name = facts.default_partition
    look = trials.rows_where(name, inside)
    message = f"The default partition {name} holds rows that belong into the new one"
    return Trial(default, name, message, "23514", question, column, look)


def _outside(parent: str, child: str, bound: Node, session: Session) -> Trial | None:
    """A row of the table that does not belong into the partition which it is to become."""
    column, inside = _condition(parent, bound, session)
    relation = session.relation(child)
    if not inside or not trials.columns_as_before(relation, [column], session, adding=True):
        return None
    outside = f"({inside}) IS NOT TRUE"
    question = asking.any_row(relation, outside)
    if question is None:
        return None
    look = trials.rows_where(child, outside)
    message = f"{child} holds rows that do not belong into this partition of {parent}"
    return Trial(relation, child, message, "23514", question, column, look)


def _condition(parent: str, bound: Node, session: Session) -> tuple[str, str]:
    """The one column of the key, and what holds for rows within the bound; empty where that cannot be said."""
    facts = session.relation(parent).facts
    match = _KEY.match(facts.partition_key) if facts else None
    if match is None or bound.is_default or bound.strategy not in ("r", "l"):
        return "", ""
    column = match[1]
    key = quoted_one(column)
    if bound.strategy == "l":
        values = [expressions.spelled(item) for item in bound.listdatums]
        is_plain = all(value and value.upper() != "NULL" for value in values)
        return column, f"{key} IN ({', '.join(values)})" if values and is_plain else ""
    parts = []
    for operator, datums in ((">=", bound.lowerdatums), ("<", bound.upperdatums)):
        value = expressions.spelled(datums[0]) if len(datums) == 1 else ""
        if not value:
            return "", ""
        if value.lower() not in _UNBOUND:
            parts.append(f"{key} {operator} {value}")
    return column, " AND ".join(parts)
