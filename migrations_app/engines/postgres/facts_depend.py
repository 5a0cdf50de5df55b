"""What stands on an object, in words, by pg_depend: on tables, columns, functions, sequences, extensions, schemas."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Literal

import psycopg

Kind = Literal["table", "column", "function", "sequence", "extension", "schema"]
Dependents = Mapping[tuple[Kind, int, str], tuple[str, ...]]
"""By kind, oid (of a column: its table's) and name (of a column, an extension or a schema; else empty)."""

# What is dropped takes along what depends on it: a view goes with its rule, a generated column with its expression.
# deptype n: only CASCADE takes it. a, i, P, S: it goes in any case. `own`: goes with the root without CASCADE.
GONE = """
WITH RECURSIVE
gone(root, part, classid, objid, objsubid, how, own) AS (
    SELECT r, ''::text, 'pg_class'::regclass::oid, r, 0, 'i'::text, true FROM unnest(%(oids)s::oid[]) AS r
    UNION
    SELECT a.attrelid, a.attname::text, 'pg_class'::regclass::oid, a.attrelid, a.attnum::int, 'i', true
    FROM pg_attribute a WHERE a.attrelid = ANY (%(near)s::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
    UNION
    SELECT g.root, g.part, x.classid, x.objid, x.objsubid, d.deptype::text, g.own AND d.deptype <> 'n'
    FROM gone g
    JOIN pg_depend d ON d.refclassid = g.classid AND d.refobjid = g.objid
                    AND (g.objsubid = 0 OR d.refobjsubid = g.objsubid) AND d.deptype IN ('n', 'a', 'i', 'P', 'S')
    LEFT JOIN pg_rewrite w ON d.classid = 'pg_rewrite'::regclass AND w.oid = d.objid AND w.rulename = '_RETURN'
    LEFT JOIN pg_attrdef v ON d.classid = 'pg_attrdef'::regclass AND v.oid = d.objid
    LEFT JOIN pg_attribute c ON c.attrelid = v.adrelid AND c.attnum = v.adnum AND c.attgenerated <> ''
    CROSS JOIN LATERAL (
        SELECT CASE WHEN w.oid IS NULL AND c.attnum IS NULL THEN d.classid ELSE 'pg_class'::regclass END,
               coalesce(w.ev_class, c.attrelid, d.objid),
               CASE WHEN w.oid IS NOT NULL THEN 0 ELSE coalesce(c.attnum, d.objsubid) END
    ) AS x(classid, objid, objsubid)
),
"""

# Of a table: what only CASCADE takes; partitions and children are not all told by pg_depend in one way, so they come
# from pg_inherits. Of a column: all but its own default, for what goes in silence (an index, a constraint) matters too.
# Of an extension: what is not of it but stands on something that is, as columns of its types and arrays of them.
FOUND = """
doomed(root, oid) AS (
    SELECT DISTINCT root, objid FROM gone WHERE part = '' AND classid = 'pg_class'::regclass AND objsubid = 0
),
member(root, part, classid, objid) AS (
    SELECT e.oid, e.extname::text, d.classid, d.objid FROM pg_extension e
    JOIN pg_depend d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'
    WHERE e.extname = ANY (%(bares)s::text[])
    UNION
    SELECT m.root, m.part, d.classid, d.objid FROM member m
    JOIN pg_depend d ON d.refclassid = m.classid AND d.refobjid = m.objid AND d.deptype = 'i' AND d.objsubid = 0
),
found(kind, root, part, classid, objid, objsubid) AS (
    SELECT CASE part WHEN '' THEN 'table' ELSE 'column' END, root, part, classid, objid, objsubid
    FROM gone GROUP BY 2, 3, 4, 5, 6
    HAVING part = '' AND bool_or(how = 'n') AND NOT bool_or(own)
        OR part <> '' AND bool_or(how IN ('n', 'a')) AND NOT bool_or(how = 'i' AND own)
    UNION ALL
    SELECT 'table', i.inhparent, '', 'pg_inherits'::regclass, i.inhrelid, 0
    FROM pg_inherits i WHERE i.inhparent = ANY (%(oids)s::oid[])
    UNION ALL
    SELECT 'function', d.refobjid, '', d.classid, d.objid, d.objsubid FROM pg_depend d
    WHERE d.refclassid = 'pg_proc'::regclass AND d.refobjid = ANY (%(functions)s::oid[]) AND d.deptype IN ('n', 'a')
    UNION ALL
    SELECT 'sequence', d.refobjid, '', 'pg_class'::regclass, v.adrelid, v.adnum::int
    FROM pg_depend d JOIN pg_attrdef v ON d.classid = 'pg_attrdef'::regclass AND v.oid = d.objid
    WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = ANY (%(sequences)s::oid[])
    UNION ALL
    SELECT 'extension', m.root, m.part, d.classid, d.objid, d.objsubid FROM member m
    JOIN pg_depend d ON d.refclassid = m.classid AND d.refobjid = m.objid AND d.deptype IN ('n', 'a')
    WHERE d.classid NOT IN ('pg_amop'::regclass, 'pg_amproc'::regclass)
      AND NOT EXISTS (SELECT FROM member o WHERE (o.root, o.classid, o.objid) = (m.root, d.classid, d.objid))
    UNION ALL
    (SELECT 'schema', n.oid, n.nspname::text, d.classid, d.objid, d.objsubid FROM pg_namespace n
     JOIN pg_depend d ON d.refclassid = 'pg_namespace'::regclass AND d.refobjid = n.oid AND d.deptype = 'n'
     WHERE n.nspname = ANY (%(schemas)s::text[]) LIMIT 1000)
)
"""

# What belongs to a table that goes itself is not told again. Clones of a foreign key on partitions, triggers that
# enforce foreign keys, and NOT NULL (a constraint since PostgreSQL 18) are no things of their own.
WORDS = """
SELECT DISTINCT f.kind, f.root, f.part, CASE
    WHEN f.classid = 'pg_inherits'::regclass THEN
         CASE WHEN c.relispartition THEN 'partition ' ELSE 'child table ' END || n.nspname || '.' || c.relname
    WHEN k.contype = 'f' THEN 'foreign key ' || k.conname || ' of ' || n.nspname || '.' || c.relname
    WHEN k.conrelid <> 0 THEN CASE k.contype WHEN 'p' THEN 'primary key ' WHEN 'u' THEN 'unique constraint '
         WHEN 'x' THEN 'exclusion constraint ' ELSE 'check constraint ' END
         || k.conname || ' of ' || n.nspname || '.' || c.relname
    WHEN v.oid IS NOT NULL THEN 'default of ' || n.nspname || '.' || c.relname || '.' || a.attname
    WHEN t.oid IS NOT NULL THEN 'trigger ' || t.tgname || ' of ' || n.nspname || '.' || c.relname
    WHEN p.oid IS NOT NULL THEN 'policy ' || p.polname || ' of ' || n.nspname || '.' || c.relname
    WHEN w.rulename = '_RETURN' OR a.attnum IS NULL AND w.oid IS NULL AND c.oid IS NOT NULL THEN
         CASE c.relkind WHEN 'v' THEN 'view ' WHEN 'm' THEN 'materialized view ' WHEN 'S' THEN 'sequence '
              WHEN 'i' THEN 'index ' WHEN 'I' THEN 'index ' WHEN 'c' THEN 'type ' WHEN 'f' THEN 'foreign table '
              ELSE 'table ' END || n.nspname || '.' || c.relname
    WHEN w.oid IS NOT NULL THEN 'rule ' || w.rulename || ' of ' || n.nspname || '.' || c.relname
    WHEN a.attnum IS NOT NULL THEN CASE WHEN a.attgenerated <> '' THEN 'generated column ' ELSE 'column ' END
         || n.nspname || '.' || c.relname || '.' || a.attname
    WHEN r.oid IS NOT NULL THEN 'publication ' || b.pubname
    ELSE (SELECT replace(i.type, 'table column', 'column') || ' ' || i.identity
          FROM pg_identify_object(f.classid, f.objid, f.objsubid) AS i) END
FROM found f
LEFT JOIN pg_constraint k ON f.classid = 'pg_constraint'::regclass AND k.oid = f.objid
LEFT JOIN pg_attrdef v ON f.classid = 'pg_attrdef'::regclass AND v.oid = f.objid
LEFT JOIN pg_trigger t ON f.classid = 'pg_trigger'::regclass AND t.oid = f.objid
LEFT JOIN pg_policy p ON f.classid = 'pg_policy'::regclass AND p.oid = f.objid
LEFT JOIN pg_rewrite w ON f.classid = 'pg_rewrite'::regclass AND w.oid = f.objid
LEFT JOIN pg_publication_rel r ON f.classid = 'pg_publication_rel'::regclass AND r.oid = f.objid
LEFT JOIN pg_publication b ON b.oid = r.prpubid
LEFT JOIN pg_class c ON c.oid = CASE WHEN f.classid IN ('pg_class'::regclass, 'pg_inherits'::regclass) THEN f.objid
    ELSE coalesce(nullif(k.conrelid, 0), v.adrelid, t.tgrelid, p.polrelid, w.ev_class) END
LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN doomed x ON f.kind = 'table' AND x.root = f.root AND x.oid = c.oid
LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = coalesce(v.adnum, nullif(f.objsubid, 0))
WHERE t.tgisinternal IS NOT true AND coalesce(k.conparentid, 0) = 0 AND k.contype IS DISTINCT FROM 'n'
  AND NOT (f.classid = 'pg_attrdef'::regclass AND v.adrelid = f.root AND a.attname = f.part)
  AND NOT (f.kind = 'table' AND f.classid = 'pg_class'::regclass AND f.objsubid = 0
           AND EXISTS (SELECT FROM pg_inherits h WHERE h.inhrelid = f.objid))
  AND (x.oid IS NULL OR f.classid IN ('pg_class'::regclass, 'pg_inherits'::regclass) AND f.objsubid = 0)
ORDER BY 1, 2, 3, 4
"""

DEPENDENTS = f"{GONE}{FOUND}{WORDS}"


def dependents(conn: psycopg.Connection, asked: Mapping[str, Any]) -> Dependents:
    """What stands on each of the objects that are `asked` for.

    `oids` of relations, the `near` ones with their columns; oids of `functions` and `sequences`; the names of
    extensions among the `bares`, and of `schemas`.
    """
    found: dict[tuple[Kind, int, str], tuple[str, ...]] = defaultdict(tuple)
    for kind, root, name, words in conn.execute(DEPENDENTS.encode(), asked):
        if words:  # None: dropped while we looked
            found[kind, root, name] += (words,)
    return found
