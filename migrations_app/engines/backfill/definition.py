"""From what a person declared to what may run: every name found in the catalog, every expression planned by the server.

Nothing is written: the generated UPDATE is only explained, inside a read-only transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import psycopg
from psycopg import Connection, sql

from migrations_app.engines.backfill import expressions, keys, raw, sizes, statements, tables
from migrations_app.engines.backfill.statements import Change
from migrations_app.engines.backfill.tables import Table
from migrations_app.errors import FieldError, Invalid

Guarantee: TypeAlias = Literal["exactly_once", "at_least_once"]

CHECK_TIMEOUT_MS = 5_000
VOLATILE = b"""
SELECT DISTINCT proname::text FROM pg_proc WHERE provolatile = 'v' AND proname::text = ANY ($1::text[]) ORDER BY 1
"""


@dataclass(frozen=True)
class Definition:
    """A backfill as declared: a table, the expression for each column, which rows, and the key to walk along.

    `where=None` means every row; `key=None` means the primary key.
    """

    table: str
    set: Mapping[str, str]
    where: str | None = None
    key: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Checked:
    """A definition that this target can run, as of now.

    `rows_estimated` is what the walk will visit, not what it changes. `is_countable`: the
    WHERE mentions a column that is set, so counting what still matches proves the result.
    """

    change: Change
    table_oid: int
    rows_estimated: int
    rows_exact: bool
    bytes: int
    guarantee: Guarantee
    is_countable: bool
    warnings: tuple[str, ...]

    @property
    def table(self) -> str:
        return f"{self.change.schema}.{self.change.table}"

    @property
    def key(self) -> keys.Key:
        return self.change.key


def check(conn: Connection[Any], definition: Definition) -> Checked:
    """What `definition` means on this target; Invalid with a pointer for each wrong field.

    Other database errors (a lock timeout, a lost connection) pass through. The connection must be outside a
    transaction and is left so.
    """
    _refuse_bad_text(definition)
    with conn.transaction():
        conn.execute("SET TRANSACTION READ ONLY")
        raw.settings(
            conn, statement_timeout=str(CHECK_TIMEOUT_MS), lock_timeout="1000", standard_conforming_strings="on"
        )
        table = tables.find(conn, definition.table)
        if table.has_children:
            raise Invalid.field(
                "/table", f"{table.name} has tables that inherit from it; name those one by one instead."
            )
        _refuse(_column_errors(table, definition))
        key = keys.choose(conn, table, definition.key)
        _refuse([_frozen_key(column) for column in definition.set if column in key.names])
        change = Change(table.schema, table.name, key, tuple(definition.set.items()), definition.where)
        _refuse(_planning_errors(conn, change))
        size = sizes.measure(conn, change, table.oid)
        guarantee: Guarantee = "exactly_once" if sizes.may_keep_checkpoint(conn) else "at_least_once"
        warnings = _warnings(conn, table, change, guarantee)
    countable = change.where is not None and not expressions.shape(change.where).columns.isdisjoint(definition.set)
    return Checked(change, table.oid, size.rows, size.is_exact, size.bytes, guarantee, countable, warnings)


def set_pointer(column: str) -> str:
    """JSON pointer of a column's expression."""
    return "/set/" + column.replace("~", "~0").replace("/", "~1")


def _refuse(errors: list[FieldError]) -> None:
    if errors:
        raise Invalid(" ".join(error.detail for error in errors), errors=errors)


def _refuse_bad_text(definition: Definition) -> None:
    errors = []
    if not definition.set:
        errors.append(FieldError("/set", "Name at least one column to set."))
    for column, text in definition.set.items():
        if (wrong := expressions.fault(text)) is not None:
            errors.append(FieldError(set_pointer(column), f"The expression for {column} {wrong}."))
    if definition.where is not None and (wrong := expressions.fault(definition.where)) is not None:
        errors.append(FieldError("/where", f"The WHERE {wrong}."))
    if definition.key is not None and (not definition.key or len(set(definition.key)) < len(definition.key)):
        errors.append(FieldError("/key", "Name each key column once, or leave key out to use the primary key."))
    _refuse(errors)


def _column_errors(table: Table, definition: Definition) -> list[FieldError]:
    errors = []
    for name in definition.set:
        column = table.column(name)
        if column is None:
            near = tables.similar(name, [column.name for column in table.columns])
            errors.append(FieldError(set_pointer(name), f"{table.name} has no column {name!r}.{near}"))
        elif column.is_generated:
            errors.append(FieldError(set_pointer(name), f"{name} is generated from other columns; set those instead."))
        elif column.is_always_identity:
            errors.append(FieldError(set_pointer(name), f"{name} is GENERATED ALWAYS AS IDENTITY; it cannot be set."))
    return errors


def _frozen_key(column: str) -> FieldError:
    why = "a row whose key moves could be passed over, or changed twice"
    return FieldError(
        set_pointer(column), f"{column} belongs to the key that the backfill walks along: {why}. Use another key."
    )


def _planning_errors(conn: Connection[Any], change: Change) -> list[FieldError]:
    """Let the server plan each part alone, so that its complaint lands on the right field, and then the whole."""
    errors = []
    for column, text in change.set:
        single = sql.SQL("UPDATE {} SET {} = {}").format(change.name, sql.Identifier(column), statements.enclosed(text))
        if (wrong := _explain(conn, single)) is not None:
            errors.append(FieldError(set_pointer(column), f"The expression for {column} does not work: {wrong}"))
    if change.where is not None:
        select = sql.SQL("SELECT FROM {} WHERE {}").format(change.name, change.condition)
        if (wrong := _explain(conn, select)) is not None:
            errors.append(FieldError("/where", f"The WHERE does not work: {wrong}"))
    if not errors and (
        wrong := _explain(conn, statements.update_sql(change, True), [None] * 2 * len(change.key.columns))
    ):
        errors.append(FieldError("/table", f"The UPDATE does not work: {wrong}"))
    return errors


def _explain(conn: Connection[Any], statement: sql.Composable, values: list[None] | None = None) -> str | None:
    """The server's complaint about a statement that it plans but does not run."""
    try:
        with conn.transaction():
            raw.rows(conn, sql.SQL("EXPLAIN {}").format(statement), *(values or ()))
    except psycopg.errors.InsufficientPrivilege:
        return "this role may not read and update the table; grant it SELECT and UPDATE."
    except (psycopg.ProgrammingError, psycopg.DataError, psycopg.NotSupportedError) as error:
        diagnosis = error.diag
        hint = f" {diagnosis.message_hint}" if diagnosis.message_hint else ""
        return f"{diagnosis.message_primary or error}.{hint}"
    return None


def _warnings(conn: Connection[Any], table: Table, change: Change, guarantee: Guarantee) -> tuple[str, ...]:
    texts = [text for _, text in change.set] + ([change.where] if change.where is not None else [])
    shapes = [expressions.shape(text) for text in texts]
    names = sorted(name for one in shapes for name in one.functions)
    found = [f"{row[0]}() gives another value at each call." for row in raw.rows(conn, VOLATILE, names)]
    if any(one.has_subquery for one in shapes):
        found.append("A subquery reads other rows while they may change; each chunk sees its own moment.")
    indexed = [name for name, _ in change.set if (column := table.column(name)) and column.is_indexed]
    if indexed:
        found.append(f"{', '.join(indexed)} is indexed: every changed row also writes to the indexes of {table.name}.")
    if table.has_update_triggers:
        found.append(f"{table.name} has UPDATE triggers; they run for every changed row.")
    if table.has_row_security:
        found.append(f"{table.name} has row security: rows that this role cannot see are not changed and not counted.")
    if guarantee == "at_least_once":
        found.append(
            "This role may not create schema tidegate here, so progress is kept outside the target: after a crash the "
            "last chunk may run again. Grant CREATE on the database for exactly once."
        )
    return tuple(found)
