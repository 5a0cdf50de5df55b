"""Which database this really is, and which revisions its version table names: all read by SQL, in milliseconds."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg
from psycopg import sql

from migrations_app.errors import Unprocessable


@dataclass(frozen=True)
class Identity:
    """What tells one database from every other, also from its own copy after a failover.

    `system_identifier` is the same on a primary and its replicas and on nothing else; `timeline` rises at a failover.
    """

    system_identifier: str
    database_oid: int
    database: str
    timeline: int
    server_version: int
    is_standby: bool


@dataclass(frozen=True)
class VersionTable:
    schema: str
    name: str


# The control file names the timeline of the last checkpoint, which after a promotion is still the old one; the name of
# the current WAL file is right at once, but there is none to be had on a standby.
IDENTITY = """
SELECT (SELECT system_identifier::text FROM pg_control_system()), d.oid, d.datname,
       CASE WHEN pg_is_in_recovery() THEN (SELECT timeline_id FROM pg_control_checkpoint())
            ELSE ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int END,
       current_setting('server_version_num')::int, pg_is_in_recovery()
FROM pg_database d WHERE d.datname = current_database()
"""

# By name in one schema, or where the search path finds it first, as Alembic's own unqualified name would.
FIND_TABLE = """
SELECT n.nspname, EXISTS (SELECT FROM pg_attribute a
                          WHERE a.attrelid = c.oid AND a.attname = 'version_num' AND NOT a.attisdropped)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relname = %(name)s AND c.relkind IN ('r', 'p', 'v', 'f')
  AND CASE WHEN %(schema)s::text IS NULL THEN pg_table_is_visible(c.oid) ELSE n.nspname = %(schema)s END
"""

VERSION_TABLES = """
SELECT n.nspname, c.relname
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_%temp\\_%'
  AND (SELECT array_agg(a.attname::text) FROM pg_attribute a
       WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) = '{version_num}'
ORDER BY 1, 2
"""


def identity(conn: psycopg.Connection) -> Identity:
    """Who answers on this connection."""
    row = conn.execute(IDENTITY).fetchone()
    assert row is not None, "a session is always in a database"
    return Identity(*row)


def read_heads(
    conn: psycopg.Connection, *, version_table: str = "alembic_version", schema: str | None = None
) -> tuple[str, ...] | None:
    """The current revisions, sorted. None: there is no version table; (): there is one, and it is empty.

    Raises `Unprocessable` when the table of that name is not one of Alembic's.
    """
    found = conn.execute(FIND_TABLE, {"name": version_table, "schema": schema}).fetchone()
    if found is None:
        return None
    where, has_version = found
    if not has_version:
        raise Unprocessable(
            f"Table {where}.{version_table} has no column version_num, so it is not Alembic's version table. "
            "Correct version_table of the project."
        )
    query = sql.SQL("SELECT version_num FROM {}").format(sql.Identifier(where, version_table))
    return tuple(sorted(row[0] for row in conn.execute(query)))


def list_version_tables(conn: psycopg.Connection) -> tuple[VersionTable, ...]:
    """Every table that looks like a version table of Alembic (its only column is version_num), whatever its name."""
    return tuple(VersionTable(*row) for row in conn.execute(VERSION_TABLES))


# Tables of extensions (PostGIS brings one) are not an application's.
HAS_TABLES = """
SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
               WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'tidegate')
                 AND n.nspname NOT LIKE 'pg\\_%temp\\_%' AND n.nspname <> 'pg_toast'
                 AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                                 AND d.deptype = 'e'))
"""

# One that is being built right now is not counted.
INVALID_INDEXES = """
SELECT c.relname FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE NOT x.indisvalid AND c.relkind = 'i' AND n.nspname NOT IN ('pg_catalog', 'pg_toast')
  AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.index_relid = x.indexrelid)
ORDER BY 1
"""


def has_tables(conn: psycopg.Connection) -> bool:
    """Whether the database holds any table of an application, version tables included."""
    row = conn.execute(HAS_TABLES).fetchone()
    return row is not None and bool(row[0])


def invalid_indexes(conn: psycopg.Connection) -> tuple[str, ...]:
    """Bare names, sorted, of the indexes that a failed or killed CREATE INDEX CONCURRENTLY has left INVALID."""
    return tuple(row[0] for row in conn.execute(INVALID_INDEXES))
