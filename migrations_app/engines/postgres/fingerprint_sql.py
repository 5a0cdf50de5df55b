"""The catalog of a target as lines of text: one query, so one snapshot and one round trip.

Each part gives (kind, object, detail). Objects are quoted, qualified names, and a part of a table is named below it
("public.users.email"). Nothing in a line depends on oids, on the order of columns or on the search path (which the
caller empties), so a plain upgrade, one by Tidegate and a restored dump all read the same. Comments, privileges,
owners and storage settings are not in it: they change in production without any revision.
"""

from __future__ import annotations

# What belongs to an extension is described by the extension's version. The schema `tidegate` is our own.
COMMON = """
WITH extension_owned AS MATERIALIZED (
    SELECT classid, objid FROM pg_depend WHERE deptype = 'e'
), space AS MATERIALIZED (
    SELECT oid, nspname, quote_ident(nspname) AS name FROM pg_namespace
    WHERE nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast', 'tidegate')
      AND nspname !~ '^pg_(toast_)?temp_'
      AND oid NOT IN (SELECT objid FROM extension_owned WHERE classid = 'pg_namespace'::regclass)
), rel AS MATERIALIZED (
    SELECT c.*, format('%s.%I', n.name, c.relname) AS name
    FROM pg_class c JOIN space n ON n.oid = c.relnamespace
    WHERE c.oid NOT IN (SELECT objid FROM extension_owned WHERE classid = 'pg_class'::regclass)
      AND c.relname <> ALL (%(excluded)s::text[]) AND n.nspname || '.' || c.relname <> ALL (%(excluded)s::text[])
), typ AS MATERIALIZED (
    SELECT t.*, format('%s.%I', n.name, t.typname) AS name
    FROM pg_type t JOIN space n ON n.oid = t.typnamespace
    WHERE t.oid NOT IN (SELECT objid FROM extension_owned WHERE classid = 'pg_type'::regclass)
)
"""

SCHEMAS = "SELECT 'schema', name, '' FROM space"

EXTENSIONS = "SELECT 'extension', quote_ident(extname), 'version ' || extversion FROM pg_extension"

TABLES = """
SELECT CASE r.relkind WHEN 'f' THEN 'foreign table' ELSE 'table' END, r.name,
       concat_ws(', ', CASE r.relpersistence WHEN 'u' THEN 'unlogged' END,
                 'partitioned by ' || pg_get_partkeydef(r.oid),
                 'partition of ' || (SELECT i.inhparent::regclass::text FROM pg_inherits i
                                     WHERE i.inhrelid = r.oid AND r.relispartition)
                 || ' ' || pg_get_expr(r.relpartbound, r.oid),
                 'inherits ' || (SELECT string_agg(i.inhparent::regclass::text, ', ' ORDER BY i.inhseqno)
                                 FROM pg_inherits i WHERE i.inhrelid = r.oid AND NOT r.relispartition),
                 CASE WHEN r.relrowsecurity THEN 'row security' END,
                 CASE WHEN r.relforcerowsecurity THEN 'row security forced' END)
FROM rel r WHERE r.relkind IN ('r', 'p', 'f')
"""

VIEWS = """
SELECT CASE relkind WHEN 'v' THEN 'view' ELSE 'materialized view' END, name,
       concat_ws(', ', 'definition ' || md5(pg_get_viewdef(oid)), 'options ' || reloptions::text)
FROM rel WHERE relkind IN ('v', 'm')
"""

# A collation is worth a word only where it is not the default of its type.
# Only a generated column names other columns; for a plain default pg_get_expr needs no relation, in half the time.
COLUMNS = """
SELECT 'column', r.name || '.' || quote_ident(a.attname),
       format_type(a.atttypid, a.atttypmod) || CASE WHEN a.attnotnull THEN ', not null' ELSE ', nullable' END
       || CASE a.attidentity WHEN 'a' THEN ', identity always' WHEN 'd' THEN ', identity by default' ELSE '' END
       || CASE WHEN NOT a.atthasdef THEN '' WHEN a.attgenerated = '' THEN ', default ' || pg_get_expr(d.adbin, 0)
               ELSE CASE a.attgenerated WHEN 's' THEN ', stored as ' ELSE ', computed as ' END
                    || pg_get_expr(d.adbin, d.adrelid) END
       || CASE WHEN c.oid <> t.typcollation THEN ', collation ' || quote_ident(c.collname) ELSE '' END
FROM rel r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_collation c ON c.oid = a.attcollation
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE r.relkind IN ('r', 'p', 'f', 'c')
"""

# PostgreSQL 18 keeps NOT NULL as constraints too; the column line says it already, but for the unproven ones.
# A constraint trigger (t) is a trigger, below.
CONSTRAINTS = """
SELECT 'constraint', format('%s.%I', coalesce(r.name, t.name), c.conname), pg_get_constraintdef(c.oid)
FROM pg_constraint c LEFT JOIN rel r ON r.oid = c.conrelid LEFT JOIN typ t ON t.oid = c.contypid
WHERE coalesce(r.oid, t.oid) IS NOT NULL AND c.contype <> 't' AND (c.contype <> 'n' OR NOT c.convalidated)
"""

INDEXES = """
SELECT 'index', format('%s.%I', r.name, i.relname),
       concat_ws(', ', pg_get_indexdef(x.indexrelid), CASE WHEN NOT x.indisvalid THEN 'invalid' END,
                 CASE WHEN x.indisreplident THEN 'replica identity' END)
FROM pg_index x JOIN rel r ON r.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid
"""

SEQUENCES = """
SELECT 'sequence', r.name,
       concat_ws(', ', format_type(s.seqtypid, NULL), 'start ' || s.seqstart, 'increment ' || s.seqincrement,
                 'min ' || s.seqmin, 'max ' || s.seqmax, 'cache ' || s.seqcache, CASE WHEN s.seqcycle THEN 'cycle' END,
                 'owned by ' || (SELECT format('%s.%I', d.refobjid::regclass, a.attname)
                                 FROM pg_depend d JOIN pg_attribute a
                                   ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
                                 WHERE d.classid = 'pg_class'::regclass AND d.objid = r.oid AND d.objsubid = 0
                                   AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')))
FROM rel r JOIN pg_sequence s ON s.seqrelid = r.oid
"""

TYPES = """
SELECT 'enum', t.name, (SELECT string_agg(quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder)
                        FROM pg_enum e WHERE e.enumtypid = t.oid)
FROM typ t WHERE t.typtype = 'e'
UNION ALL
SELECT 'domain', t.name,
       concat_ws(', ', format_type(t.typbasetype, t.typtypmod), CASE WHEN t.typnotnull THEN 'not null' END,
                 'default ' || t.typdefault,
                 'collation ' || (SELECT quote_ident(c.collname) FROM pg_collation c, pg_type b
                                  WHERE c.oid = t.typcollation AND b.oid = t.typbasetype AND c.oid <> b.typcollation))
FROM typ t WHERE t.typtype = 'd'
UNION ALL
SELECT 'range type', t.name, format_type(g.rngsubtype, NULL) FROM typ t JOIN pg_range g ON g.rngtypid = t.oid
UNION ALL
SELECT 'composite type', r.name, '' FROM rel r WHERE r.relkind = 'c'
"""

# pg_get_functiondef holds the body, defaults, language, volatility and settings; it refuses aggregates.
FUNCTIONS = """
SELECT CASE p.prokind WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate' ELSE 'function' END,
       format('%s.%I(%s)', n.name, p.proname, pg_get_function_identity_arguments(p.oid)),
       concat_ws(', ', 'returns ' || pg_get_function_result(p.oid), 'definition ' ||
                 CASE WHEN p.prokind = 'a' THEN (SELECT md5(concat_ws('|', g.aggtransfn::text, g.aggfinalfn::text,
                                                        format_type(g.aggtranstype, NULL), g.agginitval))
                                                 FROM pg_aggregate g WHERE g.aggfnoid = p.oid)
                      ELSE md5(pg_get_functiondef(p.oid)) END)
FROM pg_proc p JOIN space n ON n.oid = p.pronamespace
WHERE p.oid NOT IN (SELECT objid FROM extension_owned WHERE classid = 'pg_proc'::regclass)
"""

TRIGGERS = """
SELECT 'trigger', format('%s.%I', r.name, t.tgname),
       concat_ws(', ', pg_get_triggerdef(t.oid), CASE t.tgenabled WHEN 'D' THEN 'disabled' WHEN 'R' THEN 'on replicas'
                                                 WHEN 'A' THEN 'always' END)
FROM pg_trigger t JOIN rel r ON r.oid = t.tgrelid WHERE NOT t.tgisinternal
"""

POLICIES = """
SELECT 'policy', format('%s.%I', r.name, p.polname),
       concat_ws(', ', CASE WHEN p.polpermissive THEN 'permissive' ELSE 'restrictive' END, 'for ' || p.polcmd::text,
                 'to ' || (SELECT string_agg(who, ', ' ORDER BY who)
                           FROM (SELECT CASE o WHEN 0 THEN 'public' ELSE pg_get_userbyid(o)::text END AS who
                                 FROM unnest(p.polroles) AS o) AS roles),
                 'using ' || pg_get_expr(p.polqual, p.polrelid), 'check ' || pg_get_expr(p.polwithcheck, p.polrelid))
FROM pg_policy p JOIN rel r ON r.oid = p.polrelid
"""

RULES_AND_STATISTICS = """
SELECT 'rule', format('%s.%I', r.name, w.rulename), pg_get_ruledef(w.oid)
FROM pg_rewrite w JOIN rel r ON r.oid = w.ev_class WHERE w.rulename <> '_RETURN'
UNION ALL
SELECT 'statistics', format('%s.%I', r.name, s.stxname), pg_get_statisticsobjdef(s.oid)
FROM pg_statistic_ext s JOIN rel r ON r.oid = s.stxrelid
"""

PARTS = (
    SCHEMAS, EXTENSIONS, TABLES, VIEWS, COLUMNS, CONSTRAINTS, INDEXES, SEQUENCES, TYPES, FUNCTIONS, TRIGGERS, POLICIES,
    RULES_AND_STATISTICS,
)  # fmt: skip

# What a revision may change as well, and production changes without one: only a rehearsal compares it. Privileges that
# were granted and revoked again are spelled out where there was nothing before, so the default takes their place.
BESIDE = """
SELECT 'settings', name || '.settings', concat_ws(', ', 'options ' || reloptions::text,
       CASE relreplident WHEN 'n' THEN 'replica identity nothing' WHEN 'f' THEN 'replica identity full' END)
FROM rel WHERE relkind IN ('r', 'p', 'm') AND (reloptions IS NOT NULL OR relreplident = 'f' OR (relreplident = 'n'
                                                                                               AND relkind <> 'm'))
UNION ALL
SELECT 'privileges', name || '.privileges',
       array(SELECT unnest(coalesce(relacl, acldefault('r', relowner)))::text ORDER BY 1)::text
FROM rel WHERE relkind IN ('r', 'p', 'v', 'm', 'f')
UNION ALL
SELECT 'comment', r.name || '.comment' || coalesce(' on ' || quote_ident(a.attname), ''), quote_literal(d.description)
FROM pg_description d JOIN rel r ON d.classoid = 'pg_class'::regclass AND r.oid = d.objoid
LEFT JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum = d.objsubid AND d.objsubid > 0
UNION ALL
SELECT 'publication', quote_ident(p.pubname),
       concat_ws(', ', CASE WHEN p.puballtables THEN 'all tables' END,
                 (SELECT string_agg(r.name, ', ' ORDER BY r.name)
                  FROM pg_publication_rel m JOIN rel r ON r.oid = m.prrelid WHERE m.prpubid = p.oid))
FROM pg_publication p
"""


def _query(*parts: str) -> bytes:
    # The driver reads a percent sign as the start of a parameter; those of format() are doubled.
    return (COMMON + "\nUNION ALL\n".join(parts)).replace("%", "%%").replace("%%(excluded)s", "%(excluded)s").encode()


CATALOG = _query(*PARTS)
"""For the fingerprint of a target."""
CATALOG_AND_BESIDE = _query(*PARTS, BESIDE)
"""For the comparison of a schema before and after within a rehearsal."""
