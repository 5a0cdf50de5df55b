"""Reads what the risk rules need to know about the objects that a plan names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import psycopg
from psycopg.rows import dict_row

from migrations_app.engines.postgres import facts_depend, facts_other, facts_scope, facts_sql, probes
from migrations_app.engines.postgres.facts_other import by_first, words_by_first
from migrations_app.engines.postgres.probes import Budget
from migrations_app.engines.risk import verdict
from migrations_app.engines.risk.facts import (
    ColumnFacts,
    ConstraintFacts,
    Facts,
    IndexFacts,
    TableFacts,
    TriggerFacts,
)

CATALOG_TIMEOUT_MS = 10_000
USUAL_ROW_BYTES = 100  # for a table that was never analysed and is too large to count
KINDS_WITH_ROWS = {"table", "partitioned", "matview"}

Rows = Mapping[int, list[Sequence[Any]]]


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
        relations = conn.execute(facts_scope.SCOPE.encode(), asked).fetchall()
        near = [oid for oid, is_near, *_ in relations if is_near]
        asked |= {"oids": [oid for oid, *_ in relations], "near": near}
        sizes = {row[0]: row[1:] for row in conn.execute(facts_sql.SIZES.encode(), asked)}
        tables = _tables(conn, asked, sizes)
        facts = _others(conn, asked, [table.name for table in tables.values()])
    budget = Budget.of_ms(statement_timeout_ms)
    emptiness = probes.has_rows(conn, [_name(t) for t in tables.values() if t.kind in KINDS_WITH_ROWS], budget)
    for oid, table in tables.items():
        tables[oid] = _probed(conn, table, emptiness.get(_name(table)), sizes.get(oid), budget, is_near=oid in near)
    return replace(facts, asked=frozenset(names), tables={table.qualified: table for table in tables.values()})


def _name(table: TableFacts) -> probes.Name:
    return table.schema, table.name


def _tables(
    conn: psycopg.Connection, asked: Mapping[str, Any], sizes: Mapping[int, Sequence[Any]]
) -> dict[int, TableFacts]:
    """The relations by oid, near ones first, without what only their rows can tell."""
    with conn.cursor(row_factory=dict_row) as cursor:
        relations = {row.pop("oid"): row for row in cursor.execute(facts_sql.RELATIONS.encode(), asked)}
    parts = {query: by_first(conn.execute(query.encode(), asked)) for query in (
        facts_sql.COLUMNS, facts_sql.CONSTRAINTS, facts_sql.INDEXES, facts_sql.TRIGGERS,
    )}  # fmt: skip
    told: dict[str, dict[int, Any]] = {field: words_by_first(conn.execute(query.encode(), asked)) for field, query in {
        "referenced_by": facts_sql.REFERENCED_BY, "partitions": facts_sql.CHILDREN, "policies": facts_sql.POLICIES,
        "rules": facts_sql.RULES, "reads": facts_sql.READS,
        "publications": facts_sql.published(conn.info.server_version),
    }.items()}  # fmt: skip
    dependents: dict[int, dict[str, tuple[str, ...]]] = {}
    for oid, part, words in conn.execute(facts_depend.DEPENDENTS.encode(), asked):
        found = dependents.setdefault(oid, {})
        found[part] = (*found.get(part, ()), words)
    row = conn.execute(facts_sql.STATISTICS_AGE.encode()).fetchone()
    return {
        oid: TableFacts(
            **{**relations[oid], "options": tuple(relations[oid]["options"])},
            **{field: words.get(oid, ()) for field, words in told.items()},
            **_parts(oid, parts),
            **_usage(sizes.get(oid), row[0] if row else None),
            dependents=dependents.get(oid, {}).pop("", ()),
            column_dependents=dependents.get(oid, {}),
        )
        for oid in asked["oids"]
        if oid in relations
    }


def _parts(oid: int, parts: Mapping[str, Rows]) -> dict[str, Any]:
    def rows(query: str) -> Sequence[Sequence[Any]]:
        return parts[query].get(oid, [])

    return {
        "columns": {
            name: ColumnFacts(name, type_name, not_null, None, default, False if not_null else None, *rest)
            for name, type_name, not_null, default, *rest in rows(facts_sql.COLUMNS)
        },
        "constraints": tuple(
            ConstraintFacts(name, kind, tuple(columns), definition, validated, parent, tuple(parents), *rest)
            for name, kind, columns, definition, validated, parent, parents, *rest in rows(facts_sql.CONSTRAINTS)
        ),
        "indexes": tuple(IndexFacts(name, tuple(columns), *rest) for name, columns, *rest in rows(facts_sql.INDEXES)),
        "triggers": tuple(TriggerFacts(*row) for row in rows(facts_sql.TRIGGERS)),
    }


def _usage(sizes: Sequence[Any] | None, stats_age_s: float | None) -> dict[str, Any]:
    if sizes is None:
        return {}
    _, total_bytes, _, _, seq_scans, idx_scans, writes = sizes
    return {
        "bytes": total_bytes,
        "seq_scans": seq_scans,
        "idx_scans": idx_scans,
        "writes": writes,
        "stats_age_s": stats_age_s,
    }


def _others(conn: psycopg.Connection, asked: Mapping[str, Any], names: Sequence[str]) -> Facts:
    """All but the tables."""
    session = conn.execute("SELECT current_schemas(false)::text[], current_setting('TimeZone')").fetchone()
    assert session is not None
    types, labels = facts_other.types(conn)
    return Facts(
        server_version=conn.info.server_version,
        tables={},
        search_path=tuple(session[0]),
        timezone=session[1],
        types=types,
        enums=labels,
        functions=facts_other.functions(conn, asked),
        sequences=facts_other.sequences(conn, asked),
        extensions=words_by_first(conn.execute(facts_depend.OF_EXTENSIONS.encode(), asked)),
        publications=dict(conn.execute("SELECT pubname, puballtables FROM pg_publication").fetchall()),
        queries=facts_other.busy_queries(conn, names),
        schemas=words_by_first(conn.execute(facts_depend.IN_SCHEMAS.encode(), asked)),
    )


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
