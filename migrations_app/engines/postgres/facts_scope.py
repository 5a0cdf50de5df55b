"""Which relations an analysis must know: those that its names mean, and those that stand or fall with them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

MOST_RELATED = 300
"""Relations that no name means directly: leaves of partitions, foreign keys' tables, a dropped schema's tables."""
MOST_OF_BODIES = 100

# A name is "users", found through the search path, or "sales.users"; "sales.*" is a schema. It may mean a relation, an
# index (its table), a sequence (its owner), a type or an extension (the tables with such columns), a trigger or policy
# (its table), or a function (the tables whose triggers call it, or that its body names).
NAMED = """
wanted(space, bare) AS (SELECT * FROM unnest(%(spaces)s::text[], %(bares)s::text[])),
visible(space, bare, oid) AS MATERIALIZED (
    SELECT n.nspname, w.bare, n.oid FROM wanted w
    JOIN pg_namespace n ON n.nspname = w.space OR w.space IS NULL AND n.nspname = ANY (current_schemas(false))
),
found(oid, relkind) AS MATERIALIZED (
    SELECT c.oid, c.relkind FROM visible v JOIN pg_class c ON c.relname = v.bare AND c.relnamespace = v.oid
),
called(oid, prosrc) AS MATERIALIZED (
    SELECT p.oid, p.prosrc FROM visible v JOIN pg_proc p ON p.proname = v.bare AND p.pronamespace = v.oid
    WHERE v.space <> 'pg_catalog'
),
types(oid) AS (
    SELECT t.oid FROM visible v JOIN pg_type t ON t.typname = v.bare AND t.typnamespace = v.oid
    LEFT JOIN pg_class c ON c.oid = t.typrelid
    WHERE t.typtype IN ('d', 'e', 'r') OR c.relkind = 'c'
    UNION
    SELECT d.objid FROM wanted w JOIN pg_extension e ON e.extname = w.bare AND w.space IS NULL
    JOIN pg_depend d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'
                    AND d.classid = 'pg_type'::regclass
    UNION
    SELECT t.oid FROM types y JOIN pg_type t ON t.typelem = y.oid AND t.typcategory = 'A' OR t.typbasetype = y.oid
),
words(word) AS MATERIALIZED (
    SELECT DISTINCT lower(word) FROM called, regexp_split_to_table(prosrc, '[^[:alnum:]_$]+') AS word
),
named(oid) AS MATERIALIZED (
    SELECT oid FROM found
    UNION
    SELECT x.indrelid FROM found f JOIN pg_index x ON x.indexrelid = f.oid WHERE f.relkind IN ('i', 'I')
    UNION
    SELECT d.refobjid FROM found f JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = f.oid
        AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i') WHERE f.relkind = 'S'
    UNION
    SELECT a.adrelid FROM found f JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = f.oid
        AND d.classid = 'pg_attrdef'::regclass JOIN pg_attrdef a ON a.oid = d.objid WHERE f.relkind = 'S'
    UNION
    SELECT d.objid FROM types y JOIN pg_depend d ON d.refclassid = 'pg_type'::regclass AND d.refobjid = y.oid
        AND d.classid = 'pg_class'::regclass AND d.objsubid > 0
    UNION
    SELECT t.tgrelid FROM wanted w JOIN pg_trigger t ON t.tgname = w.bare AND w.space IS NULL AND NOT t.tgisinternal
    UNION
    SELECT p.polrelid FROM wanted w JOIN pg_policy p ON p.polname = w.bare AND w.space IS NULL
    UNION
    SELECT t.tgrelid FROM called f JOIN pg_trigger t ON t.tgfoid = f.oid AND NOT t.tgisinternal
    UNION
    SELECT d.refobjid FROM called f JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = f.oid
        AND d.refclassid = 'pg_class'::regclass
    UNION
    (SELECT c.oid FROM words w JOIN pg_class c ON c.relname = w.word AND c.relnamespace <> 'pg_catalog'::regnamespace
     LIMIT %(most_of_bodies)s)
),
"""

RELATED = """
seen(oid) AS (
    SELECT oid FROM named
    UNION
    SELECT d.refobjid FROM seen s JOIN pg_rewrite w ON w.ev_class = s.oid AND w.rulename = '_RETURN'
    JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid
                    AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> s.oid
),
below(oid) AS (
    SELECT oid FROM seen UNION SELECT i.inhrelid FROM below b JOIN pg_inherits i ON i.inhparent = b.oid
),
children(oid) AS (
    SELECT oid FROM below
    UNION
    SELECT k.conrelid FROM children c JOIN pg_constraint k ON k.confrelid = c.oid AND k.contype = 'f'
),
parents(oid) AS (
    SELECT k.confrelid FROM below b JOIN pg_constraint k ON k.conrelid = b.oid AND k.contype = 'f'
),
above(oid) AS (
    SELECT oid FROM seen UNION SELECT i.inhparent FROM above a JOIN pg_inherits i ON i.inhrelid = a.oid
),
defaults(oid) AS (SELECT p.partdefid FROM above a JOIN pg_partitioned_table p ON p.partrelid = a.oid),
ranked(oid, rank) AS (
    SELECT oid, 0 FROM named
    UNION ALL SELECT oid, 1 FROM seen
    UNION ALL SELECT oid, 2 FROM above
    UNION ALL SELECT oid, 3 FROM defaults
    UNION ALL SELECT oid, 4 FROM parents
    UNION ALL SELECT oid, 5 FROM children
    UNION ALL SELECT oid, 6 FROM below
    UNION ALL SELECT c.oid, 7 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
              WHERE n.nspname = ANY (%(schemas)s::text[])
)
"""

# What was named is never cut off: a name that is not among the answers is taken not to exist.
CHOSEN = """
SELECT oid, is_near, nspname, relname FROM (
    SELECT r.oid, min(r.rank) <= 1 AS is_near, min(r.rank) AS rank, n.nspname, c.relname,
           row_number() OVER (ORDER BY min(r.rank), r.oid) AS place
    FROM ranked r JOIN pg_class c ON c.oid = r.oid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
      AND (r.rank = 0 OR n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast'))
    GROUP BY r.oid, n.nspname, c.relname
) AS known
WHERE rank = 0 OR place <= %(most)s + (SELECT count(*) FROM named)
ORDER BY rank, nspname, relname
"""
SCOPE = " ".join(("WITH RECURSIVE", NAMED, RELATED, CHOSEN))


def parameters(names: Iterable[str]) -> dict[str, Any]:
    """The parameters of `SCOPE` and of the queries beside it. A dot may part a schema from a name or be in a name."""
    wanted: list[tuple[str | None, str]] = []
    schemas = []
    for name in names:
        space, dot, bare = name.partition(".")
        wanted.append((None, name))
        if dot and bare == "*":
            schemas.append(space)
        elif dot:
            wanted.append((space, bare))
    return {
        "spaces": [space for space, _ in wanted],
        "bares": [bare for _, bare in wanted],
        "schemas": schemas,
        "most": MOST_RELATED,
        "most_of_bodies": MOST_OF_BODIES,
    }
