"""What the catalog says of relations, a query a kind: the first column is the relation, the others the facts' fields.

All take `oids`. What a role may not read it is not asked: definitions and sizes are open to everybody.
"""

from __future__ import annotations

RELATIONS = """
SELECT c.oid, n.nspname AS schema, c.relname AS name,
       CASE c.relkind WHEN 'p' THEN 'partitioned' WHEN 'v' THEN 'view' WHEN 'm' THEN 'matview' WHEN 'f' THEN 'foreign'
                      ELSE 'table' END AS kind,
       c.relpersistence::text AS persistence, coalesce(am.amname, 'heap') AS access_method,
       coalesce(c.reloptions, '{}') AS options, c.relreplident::text AS replica_identity,
       pg_get_userbyid(c.relowner) AS owner, c.relrowsecurity AS rls_enabled, x.extname AS extension,
       CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) ELSE '' END AS view_definition,
       CASE WHEN c.relkind = 'm' THEN c.relispopulated END AS is_populated,
       pn.nspname || '.' || p.relname AS partition_of,
       coalesce(pg_get_expr(c.relpartbound, c.oid), '') AS partition_bound,
       coalesce(pg_get_partkeydef(c.oid), '') AS partition_key,
       dn.nspname || '.' || d.relname AS default_partition
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_am am ON am.oid = c.relam
LEFT JOIN pg_depend e ON e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.objsubid = 0 AND e.deptype = 'e'
LEFT JOIN pg_extension x ON x.oid = e.refobjid
LEFT JOIN pg_inherits i ON i.inhrelid = c.oid AND c.relispartition
LEFT JOIN pg_class p ON p.oid = i.inhparent LEFT JOIN pg_namespace pn ON pn.oid = p.relnamespace
LEFT JOIN pg_partitioned_table k ON k.partrelid = c.oid
LEFT JOIN pg_class d ON d.oid = k.partdefid LEFT JOIN pg_namespace dn ON dn.oid = d.relnamespace
WHERE c.oid = ANY (%(oids)s::oid[])
"""

# A partitioned table holds nothing itself: it is as large, and as busy, as its leaves. Before PostgreSQL 14 a table
# that was never analysed says 0 rows, since then -1; both mean that nobody has looked.
SIZES = """
SELECT r.oid, sum(l.reltuples)::bigint, sum(pg_total_relation_size(l.oid))::bigint,
       sum(pg_relation_size(l.oid))::bigint, bool_and(l.reltuples > 0 OR pg_relation_size(l.oid) = 0),
       sum(pg_stat_get_numscans(l.oid))::bigint,
       sum((SELECT sum(pg_stat_get_numscans(x.indexrelid)) FROM pg_index x WHERE x.indrelid = l.oid))::bigint,
       sum(pg_stat_get_tuples_inserted(l.oid) + pg_stat_get_tuples_updated(l.oid)
           + pg_stat_get_tuples_deleted(l.oid))::bigint
FROM unnest(%(oids)s::oid[]) AS r(oid)
JOIN LATERAL (SELECT relid FROM pg_partition_tree(r.oid) WHERE isleaf UNION SELECT r.oid) AS part(relid) ON true
JOIN pg_class l ON l.oid = part.relid AND l.relkind IN ('r', 'm')
GROUP BY 1
"""

COLUMNS = """
SELECT a.attrelid, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_get_expr(d.adbin, d.adrelid),
       a.attidentity::text, a.attgenerated::text,
       (SELECT o.collname FROM pg_collation o WHERE o.oid = a.attcollation AND a.attcollation <> t.typcollation)
FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid = ANY (%(oids)s::oid[]) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attrelid, a.attnum
"""

# For a foreign key conindid is the parent's index, which does not carry it. PostgreSQL 18 keeps NOT NULL here too.
CONSTRAINTS = """
SELECT c.conrelid, c.conname,
       CASE c.contype WHEN 'p' THEN 'primary' WHEN 'u' THEN 'unique' WHEN 'f' THEN 'foreign' WHEN 'c' THEN 'check'
                      WHEN 'x' THEN 'exclude' ELSE 'not_null' END,
       ARRAY(SELECT a.attname::text FROM unnest(c.conkey) WITH ORDINALITY AS k(attnum, place)
             JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.attnum ORDER BY k.place),
       pg_get_constraintdef(c.oid), c.convalidated, n.nspname || '.' || f.relname,
       ARRAY(SELECT a.attname::text FROM unnest(c.confkey) WITH ORDINALITY AS k(attnum, place)
             JOIN pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.attnum ORDER BY k.place),
       CASE WHEN c.contype = 'f' THEN c.confdeltype::text ELSE '' END,
       CASE WHEN c.contype <> 'f' THEN (SELECT relname FROM pg_class WHERE oid = c.conindid) END
FROM pg_constraint c
LEFT JOIN pg_class f ON f.oid = c.confrelid LEFT JOIN pg_namespace n ON n.oid = f.relnamespace
WHERE c.conrelid = ANY (%(oids)s::oid[]) AND c.contype IN ('p', 'u', 'f', 'c', 'x', 'n') ORDER BY c.conrelid, c.conname
"""

INDEXES = """
SELECT x.indrelid, i.relname,
       ARRAY(SELECT coalesce(a.attname::text, '') FROM unnest(x.indkey::int2[]) WITH ORDINALITY AS k(attnum, place)
             LEFT JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = k.attnum AND k.attnum <> 0
             WHERE k.place <= x.indnkeyatts ORDER BY k.place),
       x.indisunique, x.indisprimary, x.indisvalid, pg_relation_size(i.oid), pg_get_indexdef(i.oid),
       coalesce(pg_get_expr(x.indpred, x.indrelid), ''), am.amname
FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_am am ON am.oid = i.relam
WHERE x.indrelid = ANY (%(oids)s::oid[]) ORDER BY x.indrelid, i.relname
"""

TRIGGERS = """
SELECT t.tgrelid, t.tgname, n.nspname || '.' || p.proname, t.tgenabled IN ('O', 'A'), pg_get_triggerdef(t.oid)
FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE t.tgrelid = ANY (%(oids)s::oid[]) AND NOT t.tgisinternal ORDER BY 1, 2
"""

POLICIES = "SELECT polrelid, polname FROM pg_policy WHERE polrelid = ANY (%(oids)s::oid[]) ORDER BY 1, 2"

RULES = """
SELECT ev_class, rulename FROM pg_rewrite
WHERE ev_class = ANY (%(oids)s::oid[]) AND rulename <> '_RETURN' ORDER BY 1, 2
"""

REFERENCED_BY = """
SELECT DISTINCT c.confrelid, n.nspname || '.' || t.relname
FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid JOIN pg_namespace n ON n.oid = t.relnamespace
WHERE c.contype = 'f' AND c.confrelid = ANY (%(oids)s::oid[]) AND c.conrelid <> c.confrelid ORDER BY 1, 2
"""

CHILDREN = """
SELECT i.inhparent, n.nspname || '.' || c.relname
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE i.inhparent = ANY (%(oids)s::oid[]) AND c.relkind IN ('r', 'p', 'f') ORDER BY 1, 2
"""

READS = """
SELECT DISTINCT w.ev_class, n.nspname || '.' || c.relname
FROM pg_rewrite w JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid
                                  AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> w.ev_class
JOIN pg_class c ON c.oid = d.refobjid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE w.ev_class = ANY (%(oids)s::oid[]) AND w.rulename = '_RETURN' AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
ORDER BY 1, 2
"""

STATISTICS_AGE = """
SELECT extract(epoch FROM now() - stats_reset)::float8 FROM pg_stat_database WHERE datname = current_database()
"""

# A partition is published with the tables above it.
PUBLISHED = """
WITH kin(oid, relid) AS (
    SELECT r, r FROM unnest(%(oids)s::oid[]) AS r
    UNION SELECT r, pg_partition_ancestors(r) FROM unnest(%(oids)s::oid[]) AS r
)
SELECT k.oid, p.pubname FROM kin k JOIN pg_publication_rel r ON r.prrelid = k.relid
JOIN pg_publication p ON p.oid = r.prpubid
UNION
SELECT c.oid, p.pubname FROM pg_publication p JOIN pg_class c ON c.oid = ANY (%(oids)s::oid[])
WHERE p.puballtables AND c.relkind IN ('r', 'p') AND c.relpersistence = 'p'
"""

# FOR TABLES IN SCHEMA came with PostgreSQL 15.
PUBLISHED_BY_SCHEMA = """
UNION
SELECT k.oid, p.pubname FROM kin k JOIN pg_class c ON c.oid = k.relid AND c.relkind IN ('r', 'p')
JOIN pg_publication_namespace s ON s.pnnspid = c.relnamespace JOIN pg_publication p ON p.oid = s.pnpubid
WHERE c.relpersistence = 'p'
"""
SCHEMA_PUBLICATIONS_SINCE = 150000


def published(server_version: int) -> str:
    """The query for the publications of each relation, as that version can publish."""
    return f"{PUBLISHED}{PUBLISHED_BY_SCHEMA if server_version >= SCHEMA_PUBLICATIONS_SINCE else ''} ORDER BY 1, 2"
