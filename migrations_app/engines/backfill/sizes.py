"""How large a table is, and whether Tidegate may keep its progress beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import Connection, sql

from migrations_app.engines.backfill import raw
from migrations_app.engines.backfill.statements import Change

COUNT_BELOW_BYTES = 16 << 20
COUNT_TIMEOUT_MS = 2_000

# Density at the last ANALYZE times today's pages, as the planner does it; partitions are summed up.
_SIZE = b"""
SELECT coalesce(sum(pg_table_size(c.oid)), 0)::bigint, bool_or(c.reltuples < 0 OR c.relpages = 0),
       coalesce(sum(CASE WHEN c.relpages > 0 THEN c.reltuples / c.relpages
                         * (pg_relation_size(c.oid) / current_setting('block_size')::int) ELSE 0 END), 0)::bigint
FROM pg_class c
WHERE c.relkind IN ('r', 'f')
  AND c.oid IN (SELECT $1::oid UNION SELECT relid FROM pg_partition_tree($1::oid) WHERE isleaf)
"""

_MAY_KEEP = b"""
SELECT CASE WHEN to_regclass('tidegate.backfill_checkpoint') IS NOT NULL
            THEN has_table_privilege('tidegate.backfill_checkpoint', 'SELECT')
                 AND has_table_privilege('tidegate.backfill_checkpoint', 'INSERT')
                 AND has_table_privilege('tidegate.backfill_checkpoint', 'UPDATE')
            WHEN to_regnamespace('tidegate') IS NOT NULL THEN has_schema_privilege('tidegate', 'CREATE')
            ELSE has_database_privilege(current_database(), 'CREATE') END
"""


@dataclass(frozen=True)
class Size:
    """Rows (`is_exact` when they were counted) and bytes of heap and TOAST."""

    rows: int
    is_exact: bool
    bytes: int


def measure(conn: Connection[Any], change: Change, oid: int) -> Size:
    """Count a small table, estimate a large one. Must run inside a transaction."""
    [(size, is_unknown, estimated)] = raw.rows(conn, _SIZE, oid)
    if size <= COUNT_BELOW_BYTES and (counted := _count(conn, change, percent=100)) is not None:
        return Size(counted, True, size)
    if is_unknown:  # never analysed: some pages tell as much as an ANALYZE would
        percent = min(100.0, 100.0 * COUNT_BELOW_BYTES / size)
        estimated = round((_count(conn, change, percent=percent) or 0) * 100 / percent)
    return Size(estimated, False, size)


def may_keep_checkpoint(conn: Connection[Any]) -> bool:
    """Whether this role can have its checkpoint in the target, which is what makes a backfill exactly once."""
    return bool(raw.rows(conn, _MAY_KEEP)[0][0])


def _count(conn: Connection[Any], change: Change, *, percent: float) -> int | None:
    """Rows on `percent` of the pages; None when even that takes too long."""
    some = sql.SQL("TABLESAMPLE SYSTEM ({})").format(sql.Literal(percent)) if percent < 100 else sql.SQL("")
    statement = sql.SQL("SELECT count(*) FROM {} {}").format(change.name, some)
    try:
        with conn.transaction():
            raw.settings(conn, statement_timeout=str(COUNT_TIMEOUT_MS))
            return int(raw.rows(conn, statement)[0][0])
    except psycopg.errors.QueryCanceled:
        return None
