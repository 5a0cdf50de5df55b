"""Reads what the risk rules need to know about the tables that a plan names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import psycopg

from migrations_app.engines.postgres import probes
from migrations_app.engines.postgres.probes import Budget
from migrations_app.engines.risk.facts import ColumnFacts, ConstraintFacts, Facts, IndexFacts, TableFacts

# A name is "users", found through the search path, or "sales.users". Naming an index means its table.
RELATIONS = """
SELECT DISTINCT c.oid, n.nspname, c.relname,
       CASE c.relkind WHEN 'p' THEN 'partitioned' WHEN 'v' THEN 'view' WHEN 'm' THEN 'matview' WHEN 'f' THEN 'foreign'
                      ELSE 'table' END
FROM pg_class named JOIN pg_namespace n ON n.oid = named.relnamespace
LEFT JOIN pg_index x ON x.indexrelid = named.oid
JOIN pg_class c ON c.oid = coalesce(x.indrelid, named.oid)
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
  AND (n.nspname || '.' || named.relname = ANY (%(names)s::text[])
       OR named.relname = ANY (%(names)s::text[]) AND n.nspname = ANY (current_schemas(false)))
"""

# A partitioned table holds nothing itself: it is as large as its leaves. Before PostgreSQL 14 a table that was never
# analysed says 0 rows, since then -1; both mean that nobody has looked.
SIZES = """
SELECT r.oid, sum(l.reltuples)::bigint, sum(pg_total_relation_size(l.oid))::bigint,
       sum(pg_relation_size(l.oid))::bigint, bool_and(l.reltuples > 0 OR pg_relation_size(l.oid) = 0)
FROM unnest(%(oids)s::oid[]) AS r(oid)
JOIN LATERAL (SELECT relid FROM pg_partition_tree(r.oid) WHERE isleaf UNION SELECT r.oid) AS part(relid) ON true
JOIN pg_class l ON l.oid = part.relid AND l.relkind IN ('r', 'm')
GROUP BY 1
"""

COLUMNS = """
SELECT a.attrelid, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_get_expr(d.adbin, d.adrelid)
FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid = ANY (%(oids)s::oid[]) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attrelid, a.attnum
"""

CONSTRAINTS = """
SELECT c.conrelid, c.conname,
       CASE c.contype WHEN 'p' THEN 'primary' WHEN 'u' THEN 'unique' WHEN 'f' THEN 'foreign' WHEN 'c' THEN 'check'
                      WHEN 'x' THEN 'exclude' ELSE 'not_null' END,
       (SELECT array_agg(a.attname::text ORDER BY k.place) FROM unnest(c.conkey) WITH ORDINALITY AS k(attnum, place)
        JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.attnum),
       pg_get_constraintdef(c.oid), c.convalidated,
       (SELECT n.nspname || '.' || f.relname FROM pg_class f JOIN pg_namespace n ON n.oid = f.relnamespace
        WHERE f.oid = c.confrelid)
FROM pg_constraint c
WHERE c.conrelid = ANY (%(oids)s::oid[]) AND c.contype IN ('p', 'u', 'f', 'c', 'x', 'n') ORDER BY c.conrelid, c.conname
"""

INDEXES = """
SELECT x.indrelid, i.relname,
       (SELECT array_agg(coalesce(a.attname::text, '') ORDER BY k.place)
        FROM unnest(x.indkey::int2[]) WITH ORDINALITY AS k(attnum, place)
        LEFT JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = k.attnum AND k.attnum <> 0
        WHERE k.place <= x.indnkeyatts),
       x.indisunique, x.indisprimary, x.indisvalid, pg_relation_size(i.oid)
FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
WHERE x.indrelid = ANY (%(oids)s::oid[]) ORDER BY x.indrelid, i.relname
"""

REFERENCED_BY = """
SELECT DISTINCT c.confrelid, n.nspname || '.' || t.relname
FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid JOIN pg_namespace n ON n.oid = t.relnamespace
WHERE c.contype = 'f' AND c.confrelid = ANY (%(oids)s::oid[]) AND c.conrelid <> c.confrelid ORDER BY 1, 2
"""

# Views upon views, at any depth; children and partitions; foreign keys of others.
DEPENDENTS = """
WITH RECURSIVE above(root, oid) AS (
    SELECT r, r FROM unnest(%(oids)s::oid[]) AS r
    UNION
    SELECT a.root, w.ev_class FROM above a
    JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = a.oid
                    AND d.classid = 'pg_rewrite'::regclass
    JOIN pg_rewrite w ON w.oid = d.objid
)
SELECT a.root, CASE c.relkind WHEN 'm' THEN 'materialized view ' ELSE 'view ' END || n.nspname || '.' || c.relname
FROM above a JOIN pg_class c ON c.oid = a.oid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE a.oid <> a.root AND c.relkind IN ('v', 'm')
UNION
SELECT i.inhparent,
       CASE WHEN c.relispartition THEN 'partition ' ELSE 'child table ' END || n.nspname || '.' || c.relname
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE i.inhparent = ANY (%(oids)s::oid[]) AND c.relkind IN ('r', 'p', 'f')
UNION
SELECT f.confrelid, 'foreign key ' || f.conname || ' of ' || n.nspname || '.' || t.relname
FROM pg_constraint f JOIN pg_class t ON t.oid = f.conrelid JOIN pg_namespace n ON n.oid = t.relnamespace
WHERE f.contype = 'f' AND f.confrelid = ANY (%(oids)s::oid[]) AND f.conrelid <> f.confrelid
ORDER BY 1, 2
"""

ENUMS = """
SELECT n.nspname || '.' || t.typname, array_agg(e.enumlabel::text ORDER BY e.enumsortorder)
FROM pg_enum e JOIN pg_type t ON t.oid = e.enumtypid JOIN pg_namespace n ON n.oid = t.typnamespace GROUP BY 1
"""

USUAL_ROW_BYTES = 100  # for a table that was never analysed and is too large to count

Rows = Mapping[int, list[tuple[Any, ...]]]


def read_facts(conn: psycopg.Connection, names: Sequence[str], *, statement_timeout_ms: int = 5_000) -> Facts:
    """The catalog's word on each named table, unquoted ("users", "sales.users"), and whether it holds anything.

    `statement_timeout_ms` is for reading rows, all tables together; what it does not suffice for stays None. A name
    that is in no `tables` of the answer does not exist. Raises psycopg's errors when the connection breaks.
    """
    asked = {"names": list(names)}
    relations = conn.execute(RELATIONS.encode(), asked).fetchall()
    oids = {"oids": [row[0] for row in relations]}
    parts = {query: _by_oid(conn.execute(query.encode(), oids)) for query in (
        SIZES, COLUMNS, CONSTRAINTS, INDEXES, REFERENCED_BY, DEPENDENTS
    )}  # fmt: skip
    budget = Budget.of_ms(statement_timeout_ms)
    tables = [_probed(conn, _table(row, parts), parts[SIZES].get(row[0], []), budget) for row in relations]
    path = conn.execute("SELECT current_schemas(false)::text[]").fetchone()
    assert path is not None
    return Facts(
        server_version=conn.info.server_version,
        tables={table.qualified: table for table in tables},
        search_path=tuple(path[0]),
        asked=frozenset(names),
        enums={name: tuple(labels) for name, labels in conn.execute(ENUMS)},
    )


def _by_oid(rows: Iterable[tuple[Any, ...]]) -> Rows:
    """Rows by their first column, without it."""
    found: dict[int, list[tuple[Any, ...]]] = defaultdict(list)
    for oid, *rest in rows:
        found[oid].append(tuple(rest))
    return dict(found)


def _table(relation: tuple[Any, ...], parts: Mapping[str, Rows]) -> TableFacts:
    oid, schema, name, kind = relation

    def rows(query: str) -> list[tuple[Any, ...]]:
        return parts[query].get(oid, [])

    return TableFacts(
        schema=schema,
        name=name,
        kind=kind,
        bytes=rows(SIZES)[0][1] if rows(SIZES) else None,
        columns={
            column: ColumnFacts(column, type_name, not_null, default=default)
            for column, type_name, not_null, default in rows(COLUMNS)
        },
        constraints=tuple(
            ConstraintFacts(constraint, what, tuple(columns or ()), definition, validated, references)
            for constraint, what, columns, definition, validated, references in rows(CONSTRAINTS)
        ),
        indexes=tuple(IndexFacts(index, tuple(columns), *rest) for index, columns, *rest in rows(INDEXES)),
        referenced_by=tuple(name for (name,) in rows(REFERENCED_BY)),
        dependents=tuple(words for (words,) in rows(DEPENDENTS)),
    )


def _probed(
    conn: psycopg.Connection, table: TableFacts, sizes: Sequence[tuple[Any, ...]], budget: Budget
) -> TableFacts:
    """Add what only the rows can tell. Views and foreign tables are left alone: reading them may cost anything."""
    if table.kind not in {"table", "partitioned", "matview"}:
        return table
    has_rows = probes.has_rows(conn, table.schema, table.name, budget)
    if has_rows is False:
        empty = {name: replace(column, has_values=False) for name, column in table.columns.items()}
        return replace(table, rows=0, has_rows=False, columns=empty)
    nullable = [name for name, column in table.columns.items() if not column.not_null]
    values = {**dict.fromkeys(table.columns, has_rows), **probes.has_values(
        conn, table.schema, table.name, nullable, budget
    )}  # fmt: skip
    columns = {name: replace(column, has_values=values[name]) for name, column in table.columns.items()}
    return replace(table, rows=_rows(conn, table, sizes, budget), has_rows=has_rows, columns=columns)


def _rows(conn: psycopg.Connection, table: TableFacts, sizes: Sequence[tuple[Any, ...]], budget: Budget) -> int | None:
    """The planner's estimate, or a count of our own where nobody has analysed the table."""
    if not sizes:
        return None
    estimate, _, heap_bytes, is_analysed = sizes[0]
    if is_analysed and estimate > 0:
        return int(estimate)
    counted = probes.count_rows(conn, table.schema, table.name, budget)
    if counted is not None and counted <= probes.COUNTED_ROWS:
        return counted
    return max(int(heap_bytes) // USUAL_ROW_BYTES, counted or 0)
