"""Reads what the risk rules need to know about the objects that a plan names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import psycopg

from migrations_app.engines.postgres import facts_depend, facts_other, facts_scope, facts_sql, facts_tables, probes
from migrations_app.engines.postgres.probes import Budget
from migrations_app.engines.risk import verdict
from migrations_app.engines.risk.facts import Facts, TableFacts

CATALOG_TIMEOUT_MS = 10_000
USUAL_ROW_BYTES = 100  # for a table that was never analysed and is too large to count
KINDS_WITH_ROWS = {"table", "partitioned", "matview"}


def facts_for(
    conn: psycopg.Connection,
    texts: Sequence[str] | Sequence[verdict.RevisionSql],
    *,
    transactional: bool = True,
    statement_timeout_ms: int = 5_000,
) -> Facts:
    """All that an analysis of these texts of SQL wants to know of the target, the answers to its questions included.

    `transactional` as in `verdict.analyse`. `statement_timeout_ms` is for looking at rows, and as much again for the
    questions; what it does not suffice for stays unknown. Raises psycopg's errors when the connection breaks.
    """
    sql = [text for part in texts for text in ([part] if isinstance(part, str) else part.sql)]
    facts = read_facts(conn, sorted(verdict.needed_tables(sql)), statement_timeout_ms=statement_timeout_ms)
    asked = verdict.questions(texts, facts, transactional=transactional)
    return replace(facts, answers=probes.answer(conn, asked, budget=Budget.of_ms(statement_timeout_ms)))


def read_facts(conn: psycopg.Connection, names: Sequence[str], *, statement_timeout_ms: int = 5_000) -> Facts:
    """The catalog's word on each named object, unquoted ("users", "sales.users", "sales.*" for a whole schema).

    Related tables are read too: foreign keys' parents and children, partitions, what a view reads. A name that is in
    none of the answer's mappings does not exist. `statement_timeout_ms` is for reading rows, all tables together; what
    it does not suffice for stays None. Raises psycopg's errors when the connection breaks.
    """
    asked = facts_scope.parameters(names)
    with conn.transaction():
        # The costs of catalog queries are overestimated enough to have each of them compiled.
        limits = "SELECT set_config('statement_timeout', %s, true), set_config('jit', 'off', true)"
        conn.execute(limits, [f"{CATALOG_TIMEOUT_MS}ms"])
        relations = facts_scope.relations(conn, asked)
        asked |= {"oids": list(relations), "near": [oid for oid, is_near in relations.items() if is_near]}
        sizes = {row[0]: row[1:] for row in conn.execute(facts_sql.SIZES.encode(), asked)}
        facts, tables = _catalog(conn, asked, sizes)
    queries = facts_other.busy_queries(conn, [tables[oid].name for oid in asked["near"] if oid in tables])
    budget = Budget.of_ms(statement_timeout_ms)
    emptiness = probes.has_rows(conn, [_name(t) for t in tables.values() if t.kind in KINDS_WITH_ROWS], budget)
    for oid, table in tables.items():
        tables[oid] = _probed(conn, table, emptiness.get(_name(table)), sizes.get(oid), budget, is_near=relations[oid])
    told = {table.qualified: table for table in tables.values()}
    return replace(facts, asked=frozenset(names), tables=told, queries=queries)


def _catalog(
    conn: psycopg.Connection, asked: dict[str, Any], sizes: Mapping[int, Sequence[Any]]
) -> tuple[Facts, dict[int, TableFacts]]:
    """All that is in the catalog, the tables by oid and without what only their rows can tell."""
    functions = facts_other.function_rows(conn, asked)
    sequences = conn.execute(facts_other.SEQUENCES.encode(), asked).fetchall()
    asked |= {"functions": [row[0] for row in functions], "sequences": [row[0] for row in sequences]}
    dependents = facts_depend.dependents(conn, asked)
    session = conn.execute("SELECT current_schemas(false)::text[], current_setting('TimeZone')").fetchone()
    assert session is not None
    types, labels = facts_other.types(conn)
    tables = facts_tables.read(conn, asked, sizes, dependents)
    return Facts(
        server_version=conn.info.server_version,
        tables={},
        search_path=tuple(session[0]),
        timezone=session[1],
        types=types,
        enums=labels,
        functions=facts_other.functions(functions, dependents),
        sequences=facts_other.sequences(sequences, dependents),
        extensions=facts_other.holdings(conn, "extension", asked, dependents),
        schemas=facts_other.holdings(conn, "schema", asked, dependents),
        publications=dict(conn.execute("SELECT pubname, puballtables FROM pg_publication").fetchall()),
    ), tables


def _name(table: TableFacts) -> probes.Name:
    return table.schema, table.name


def _probed(
    conn: psycopg.Connection, table: TableFacts, has_rows: bool | None, sizes: Sequence[Any] | None, budget: Budget,
    *, is_near: bool,
) -> TableFacts:  # fmt: skip
    """Add what only the rows can tell. Views and foreign tables are left alone: reading them may cost anything."""
    if table.kind not in KINDS_WITH_ROWS:
        return table
    if has_rows is False:
        empty = {name: replace(column, has_values=False, has_nulls=False) for name, column in table.columns.items()}
        return replace(table, rows=0, has_rows=False, columns=empty)
    looked = probes.Looked({}, {})
    if is_near:
        nullable = [name for name, column in table.columns.items() if not column.not_null]
        looked = probes.look(conn, _name(table), nullable, budget)
    columns = {
        name: replace(column, has_values=has_rows, has_nulls=False)
        if column.not_null
        else replace(column, has_values=looked.has_values.get(name), has_nulls=looked.has_nulls.get(name))
        for name, column in table.columns.items()
    }
    return replace(table, rows=_rows(conn, table, sizes, budget, is_near), has_rows=has_rows, columns=columns)


def _rows(
    conn: psycopg.Connection, table: TableFacts, sizes: Sequence[Any] | None, budget: Budget, is_near: bool
) -> int | None:
    """The planner's estimate, or a count of our own where nobody has analysed the table."""
    if not sizes:
        return None
    estimate, _, heap_bytes, is_analysed, *_ = sizes
    if is_analysed and estimate > 0:
        return int(estimate)
    counted = probes.count_rows(conn, _name(table), budget) if is_near else None
    if counted is not None and counted <= probes.COUNTED_ROWS:
        return counted
    return max(int(heap_bytes) // USUAL_ROW_BYTES, counted or 0)
