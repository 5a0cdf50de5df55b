"""Reads what a catalog holds beside relations: functions, types, sequences, extensions, publications, busy queries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import psycopg

from migrations_app.engines.postgres.facts_depend import Dependents
from migrations_app.engines.postgres.sqlstate import classify
from migrations_app.engines.risk.facts import FunctionFacts, SequenceFacts, TypeFacts

MOST_FUNCTIONS = 2_000
MOST_FUNCTION_BYTES = 5_000_000
MOST_QUERIES = 200
QUERIES_TIMEOUT_MS = 1_000
CATALOGS = r"\mpg_(catalog|class|depend|attribute|constraint|index|type|trigger|namespace)\M"
"""In statements of tools like ours, whose aliases look like names of tables."""

NOT_USERS = ["pg_catalog", "information_schema", "pg_toast", "tidegate"]

# All of the users' own (a range type's constructors are not), for bodies have no pg_depend rows: what calls what is
# found by reading them. Those of extensions only when they are named. The named ones come first, so that the limits
# never cut them off.
FUNCTIONS = """
SELECT p.oid, n.nspname, p.proname, pg_get_function_identity_arguments(p.oid), l.lanname, p.provolatile::text,
       p.prokind::text, CASE WHEN p.prokind <> 'a' THEN pg_get_functiondef(p.oid) ELSE '' END, p.prosecdef,
       coalesce(p.proconfig, '{}'), x.extname
FROM (
    SELECT f.*, row_number() OVER w AS place, sum(length(f.prosrc)) OVER w AS total
    FROM (SELECT p.*, p.proname = ANY (%(bares)s::text[]) AS is_named FROM pg_proc p
          WHERE p.pronamespace NOT IN (SELECT oid FROM pg_namespace WHERE nspname = ANY (%(not_users)s::text[]))) AS f
    WHERE f.is_named OR NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass
                                    AND d.objid = f.oid AND d.deptype IN ('e', 'i'))
    WINDOW w AS (ORDER BY f.is_named DESC, f.oid)
) AS p
JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang
LEFT JOIN pg_depend e ON e.classid = 'pg_proc'::regclass AND e.objid = p.oid AND e.deptype = 'e'
LEFT JOIN pg_extension x ON x.oid = e.refobjid
WHERE p.place <= %(most_functions)s AND p.total <= %(most_bytes)s
"""

TYPES = """
SELECT t.oid, n.nspname || '.' || t.typname,
       CASE t.typtype WHEN 'd' THEN 'domain' WHEN 'e' THEN 'enum' WHEN 'r' THEN 'range' ELSE 'composite' END,
       CASE t.typtype WHEN 'd' THEN format_type(t.typbasetype, t.typtypmod)
                      WHEN 'r' THEN (SELECT format_type(rngsubtype, NULL) FROM pg_range WHERE rngtypid = t.oid)
                      ELSE '' END,
       t.typnotnull,
       ARRAY(SELECT conname::text FROM pg_constraint WHERE contypid = t.oid AND contype = 'c' ORDER BY conname),
       ARRAY(SELECT convalidated FROM pg_constraint WHERE contypid = t.oid AND contype = 'c' ORDER BY conname),
       ARRAY(SELECT enumlabel::text FROM pg_enum WHERE enumtypid = t.oid ORDER BY enumsortorder), x.extname
FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
LEFT JOIN pg_class c ON c.oid = t.typrelid
LEFT JOIN pg_depend e ON e.classid = 'pg_type'::regclass AND e.objid = t.oid AND e.deptype = 'e'
LEFT JOIN pg_extension x ON x.oid = e.refobjid
WHERE n.nspname <> ALL (%(not_users)s::text[]) AND (t.typtype IN ('d', 'e', 'r') OR t.typtype = 'c' AND c.relkind = 'c')
"""

# Columns of the type itself, of arrays of it, and of domains over either.
TYPE_COLUMNS = """
WITH RECURSIVE domain(oid, base) AS MATERIALIZED (SELECT oid, typbasetype FROM pg_type WHERE typtype = 'd'),
kin(root, oid) AS (
    SELECT t, t FROM unnest(%(types)s::oid[]) AS t
    UNION
    SELECT k.root, more.oid FROM kin k CROSS JOIN LATERAL (
        SELECT typarray FROM pg_type WHERE oid = k.oid UNION ALL SELECT oid FROM domain WHERE base = k.oid
    ) AS more(oid) WHERE more.oid <> 0
)
SELECT DISTINCT k.root, n.nspname || '.' || c.relname || '.' || a.attname
FROM kin k JOIN pg_depend d ON d.refclassid = 'pg_type'::regclass AND d.refobjid = k.oid
                           AND d.classid = 'pg_class'::regclass AND d.objsubid > 0
JOIN pg_class c ON c.oid = d.objid AND c.relkind IN ('r', 'p', 'm', 'f', 'c')
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.objsubid ORDER BY 1, 2
"""

# The named ones, those of a dropped schema, and those that belong to or serve a column of the known tables.
SEQUENCES = """
WITH near(oid) AS (
    SELECT oid FROM pg_class WHERE relname = ANY (%(bares)s::text[]) AND relkind = 'S'
    UNION
    SELECT c.oid FROM pg_namespace n JOIN pg_class c ON c.relnamespace = n.oid AND c.relkind = 'S'
    WHERE n.nspname = ANY (%(schemas)s::text[])
    UNION
    SELECT objid FROM pg_depend WHERE classid = 'pg_class'::regclass AND refclassid = 'pg_class'::regclass
        AND refobjid = ANY (%(oids)s::oid[]) AND refobjsubid > 0 AND deptype IN ('a', 'i')
    UNION
    SELECT d.refobjid FROM unnest(%(oids)s::oid[]) AS t(oid) JOIN pg_attrdef v ON v.adrelid = t.oid
    JOIN pg_depend d ON d.classid = 'pg_attrdef'::regclass AND d.objid = v.oid
                    AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> v.adrelid
)
SELECT s.seqrelid, n.nspname || '.' || c.relname,
       CASE WHEN has_sequence_privilege(c.oid, 'SELECT, USAGE') AND (c.relpersistence = 'p' OR NOT pg_is_in_recovery())
            THEN pg_sequence_last_value(c.oid) END,
       s.seqincrement, s.seqmax, format_type(s.seqtypid, NULL),
       (SELECT tn.nspname || '.' || t.relname || '.' || a.attname FROM pg_depend d
        JOIN pg_class t ON t.oid = d.refobjid JOIN pg_namespace tn ON tn.oid = t.relnamespace
        JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid
        WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.refclassid = 'pg_class'::regclass
          AND d.deptype IN ('a', 'i') LIMIT 1)
FROM near JOIN pg_sequence s ON s.seqrelid = near.oid JOIN pg_class c ON c.oid = s.seqrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
"""

# An extension or schema that is here has an answer even when nothing stands on it.
EXTENSIONS = "SELECT oid, extname FROM pg_extension WHERE extname = ANY (%(bares)s::text[])"
SCHEMAS = "SELECT oid, nspname FROM pg_namespace WHERE nspname = ANY (%(schemas)s::text[])"

STATEMENTS_VIEW = """
SELECT quote_ident(n.nspname) || '.pg_stat_statements' FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = 'pg_stat_statements'
WHERE e.extname = 'pg_stat_statements' AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
"""


def by_first(rows: Iterable[Sequence[Any]]) -> dict[Any, list[Sequence[Any]]]:
    """Rows by their first value, without it."""
    found: dict[Any, list[Sequence[Any]]] = defaultdict(list)
    for first, *rest in rows:
        found[first].append(rest)
    return dict(found)


def words_by_first(rows: Iterable[Sequence[Any]]) -> dict[Any, tuple[str, ...]]:
    """(key, words) rows as key -> all of its words; words of None leave the key with none."""
    return {key: tuple(words for (words,) in found if words) for key, found in by_first(rows).items()}


def function_rows(conn: psycopg.Connection, asked: Mapping[str, Any]) -> list[Sequence[Any]]:
    limits = {"most_functions": MOST_FUNCTIONS, "most_bytes": MOST_FUNCTION_BYTES, "not_users": NOT_USERS}
    return list(conn.execute(FUNCTIONS.encode(), {**asked, **limits}))


def functions(rows: Iterable[Sequence[Any]], dependents: Dependents) -> dict[str, tuple[FunctionFacts, ...]]:
    """The rows of `FUNCTIONS` by qualified name, each with its overloads."""
    found: dict[str, tuple[FunctionFacts, ...]] = defaultdict(tuple)
    for oid, schema, name, arguments, language, volatility, kind, definition, is_definer, settings, extension in rows:
        found[f"{schema}.{name}"] += (
            FunctionFacts(
                schema, name, arguments, language, volatility, kind, definition, is_definer, tuple(settings),
                extension, dependents.get(("function", oid, ""), ()),
            ),
        )  # fmt: skip
    return dict(found)


def sequences(rows: Iterable[Sequence[Any]], dependents: Dependents) -> dict[str, SequenceFacts]:
    """The rows of `SEQUENCES` by qualified name."""
    return {
        name: replace(SequenceFacts(*facts), used_by=dependents.get(("sequence", oid, ""), ()))
        for oid, name, *facts in rows
    }


def types(conn: psycopg.Connection) -> tuple[dict[str, TypeFacts], dict[str, tuple[str, ...]]]:
    """The types of users, and the labels of the enums among them."""
    rows = conn.execute(TYPES.encode(), {"not_users": NOT_USERS}).fetchall()
    columns = words_by_first(conn.execute(TYPE_COLUMNS.encode(), {"types": [oid for oid, *_ in rows]}))
    found, labels = {}, {}
    for oid, name, kind, base, not_null, checks, validated, enum_labels, extension in rows:
        marks = dict(zip(checks, validated, strict=True))
        found[name] = TypeFacts(kind, base, not_null, marks, columns.get(oid, ()), extension)
        if kind == "enum":
            labels[name] = tuple(enum_labels)
    return found, labels


def holdings(
    conn: psycopg.Connection, kind: Literal["extension", "schema"], asked: Mapping[str, Any], dependents: Dependents
) -> dict[str, tuple[str, ...]]:
    """What stands on, or in, each extension or schema that was asked for and exists."""
    rows = conn.execute((EXTENSIONS if kind == "extension" else SCHEMAS).encode(), asked)
    return {name: dependents.get((kind, oid, name), ()) for oid, name in rows}


def busy_queries(conn: psycopg.Connection, tables: Sequence[str]) -> tuple[tuple[str, int], ...]:
    """The statements in pg_stat_statements that mention one of the tables' bare names, most often called first.

    Nothing when the extension is not there, not loaded by the server, not to be read by this role, or too slow.
    """
    try:
        with conn.transaction():
            conn.execute("SELECT set_config('statement_timeout', %s, true)", [f"{QUERIES_TIMEOUT_MS}ms"])
            view = conn.execute(STATEMENTS_VIEW.encode()).fetchone()
            if view is None or not tables:
                return ()
            query = f"""
                SELECT query, sum(calls)::bigint FROM {view[0]}
                WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
                  AND query ~* %(mentions)s AND query !~ %(catalogs)s
                GROUP BY 1 ORDER BY 2 DESC LIMIT %(most)s
            """  # noqa: S608 # the one value put in is an identifier that PostgreSQL quoted
            mentions = "|".join(rf"\y{_literally(table)}\y" for table in tables)
            given = {"mentions": mentions, "catalogs": CATALOGS, "most": MOST_QUERIES}
            return tuple(conn.execute(query.encode(), given).fetchall())
    except psycopg.Error as error:
        if classify(error).kind in {"connection_lost", "shutdown"}:
            raise
        return ()


def _literally(text: str) -> str:
    """`text` as a regular expression of PostgreSQL that matches just that."""
    return "".join(letter if letter.isalnum() or letter == "_" else f"\\{letter}" for letter in text)
