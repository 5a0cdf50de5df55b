"""How large the tables of a target are and how they are used, by the server's own statistics."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import psycopg


@dataclass(frozen=True)
class TableVolume:
    """One table. `rows` and `dead_rows` are estimates; None: it was never analysed. Scans count since `since`."""

    schema: str
    name: str
    rows: int | None
    bytes: int
    index_bytes: int
    seq_scans: int
    idx_scans: int
    inserted: int
    updated: int
    deleted: int
    dead_rows: int
    last_vacuum_at: datetime | None
    last_analyze_at: datetime | None
    since: datetime | None


# reltuples is -1 until the first ANALYZE. Rows inserted less deleted since the last reset say nothing about the total.
TABLES = """
SELECT n.nspname, c.relname,
       CASE WHEN c.reltuples < 0 THEN NULL ELSE c.reltuples::bigint END,
       pg_table_size(c.oid), pg_indexes_size(c.oid),
       coalesce(s.seq_scan, 0), coalesce(s.idx_scan, 0),
       coalesce(s.n_tup_ins, 0), coalesce(s.n_tup_upd, 0), coalesce(s.n_tup_del, 0), coalesce(s.n_dead_tup, 0),
       greatest(s.last_vacuum, s.last_autovacuum), greatest(s.last_analyze, s.last_autoanalyze),
       (SELECT stats_reset FROM pg_stat_database WHERE datname = current_database())
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_stat_all_tables s ON s.relid = c.oid
WHERE c.relkind IN ('r', 'p', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'tidegate')
  AND n.nspname !~ '^pg_(toast|temp)'
ORDER BY pg_total_relation_size(c.oid) DESC, 1, 2
LIMIT %s
"""


def tables(conn: psycopg.Connection, *, limit: int = 1_000) -> tuple[TableVolume, ...]:
    """The tables, partitions and materialized views of the database, the largest first."""
    return tuple(TableVolume(*row) for row in conn.execute(TABLES, [limit]))
