"""Which relations an analysis must know: those that its names mean, and those that stand or fall with them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import psycopg

MOST_RELATED = 300
"""Relations that no name means directly: leaves of partitions, foreign keys' tables, a dropped schema's tables."""
MOST_OF_BODIES = 100

# A name is "users", found through the search path, or "sales.users"; "sales.*" is a schema.
NAMED = """
WITH wanted(space, bare) AS (SELECT * FROM unnest(%(spaces)s::text[], %(bares)s::text[])),
visible(space, bare, oid) AS MATERIALIZED (
    SELECT n.nspname, w.bare, n.oid FROM wanted w
    JOIN pg_namespace n ON n.nspname = w.space OR w.space IS NULL AND n.nspname = ANY (current_schemas(false))
)
SELECT c.relkind::text, c.oid FROM visible v JOIN pg_class c ON c.relname = v.bare AND c.relnamespace = v.oid
UNION ALL
SELECT 'function', p.oid FROM visible v JOIN pg_proc p ON p.proname = v.bare AND p.pronamespace = v.oid
WHERE v.space <> 'pg_catalog'
UNION ALL
SELECT 'type', t.oid FROM visible v JOIN pg_type t ON t.typname = v.bare AND t.typnamespace = v.oid
LEFT JOIN pg_class c ON c.oid = t.typrelid WHERE t.typtype IN ('d', 'e', 'r') OR c.relkind = 'c'
UNION ALL
SELECT 'type', d.objid FROM wanted w JOIN pg_extension e ON e.extname = w.bare AND w.space IS NULL
JOIN pg_depend d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'
                AND d.classid = 'pg_type'::regclass
"""

OF_INDEXES = "SELECT indrelid FROM pg_index WHERE indexrelid = ANY (%(oids)s::oid[])"

# The owner, and the tables whose defaults draw from it.
OF_SEQUENCES = """
SELECT refobjid FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = ANY (%(oids)s::oid[])
    AND refclassid = 'pg_class'::regclass AND deptype IN ('a', 'i')
UNION
SELECT a.adrelid FROM pg_depend d JOIN pg_attrdef a ON a.oid = d.objid WHERE d.refclassid = 'pg_class'::regclass
    AND d.refobjid = ANY (%(oids)s::oid[]) AND d.classid = 'pg_attrdef'::regclass
"""

# The tables with columns of it, of arrays of it, and of domains over either.
OF_TYPES = """
WITH RECURSIVE kin(oid) AS (
    SELECT unnest(%(oids)s::oid[])
    UNION
    SELECT more.oid FROM kin k CROSS JOIN LATERAL (
        SELECT typarray FROM pg_type WHERE oid = k.oid UNION ALL SELECT oid FROM pg_type WHERE typbasetype = k.oid
    ) AS more(oid) WHERE more.oid <> 0
)
SELECT d.objid FROM kin k JOIN pg_depend d ON d.refclassid = 'pg_type'::regclass AND d.refobjid = k.oid
WHERE d.classid = 'pg_class'::regclass AND d.objsubid > 0
"""

# The tables whose triggers call it, and those that its body names: by pg_depend for a body in standard SQL, else by
# the words in it, for a table named in vain costs nothing.
OF_FUNCTIONS = """
SELECT tgrelid FROM pg_trigger WHERE tgfoid = ANY (%(oids)s::oid[]) AND NOT tgisinternal
UNION
SELECT refobjid FROM pg_depend WHERE classid = 'pg_proc'::regclass AND objid = ANY (%(oids)s::oid[])
    AND refclassid = 'pg_class'::regclass
UNION
(SELECT c.oid FROM (SELECT DISTINCT lower(one) FROM pg_proc p, regexp_split_to_table(p.prosrc, '[^[:alnum:]_$]+') AS one
                    WHERE p.oid = ANY (%(oids)s::oid[])) AS w(word)
 JOIN pg_class c ON c.relname = w.word AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
 WHERE c.relnamespace <> 'pg_catalog'::regnamespace LIMIT %(most)s)
"""

BEHIND = {"i": OF_INDEXES, "I": OF_INDEXES, "S": OF_SEQUENCES, "type": OF_TYPES, "function": OF_FUNCTIONS}
"""By what a name means: the query for the tables behind it."""

# What is named is never left out: a name that is not among the answers is taken not to exist. Of the others those that
# somebody holds, or waits for, in ACCESS EXCLUSIVE mode are: we would wait for them, and only to know more.
RELATED = """
WITH RECURSIVE named(oid) AS (SELECT unnest(%(named)s::oid[])),
fk(child, parent) AS MATERIALIZED (SELECT DISTINCT conrelid, confrelid FROM pg_constraint WHERE contype = 'f'),
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
above(oid) AS (
    SELECT oid FROM seen UNION SELECT i.inhparent FROM above a JOIN pg_inherits i ON i.inhrelid = a.oid
),
children(oid) AS (
    SELECT oid FROM below UNION SELECT fk.child FROM children c JOIN fk ON fk.parent = c.oid
),
ranked(oid, rank) AS (
    SELECT oid, 0 FROM named
    UNION ALL SELECT oid, 1 FROM seen
    UNION ALL SELECT oid, 2 FROM above
    UNION ALL SELECT p.partdefid, 3 FROM above a JOIN pg_partitioned_table p ON p.partrelid = a.oid
    UNION ALL SELECT fk.parent, 4 FROM below b JOIN fk ON fk.child = b.oid
    UNION ALL SELECT oid, 5 FROM children
    UNION ALL SELECT oid, 6 FROM below
    UNION ALL SELECT c.oid, 7 FROM pg_class c
              WHERE c.relnamespace IN (SELECT oid FROM pg_namespace WHERE nspname = ANY (%(schemas)s::text[]))
),
best(oid, rank) AS MATERIALIZED (SELECT oid, min(rank) FROM ranked GROUP BY oid),
locked(oid) AS MATERIALIZED (
    SELECT l.relation FROM pg_locks l JOIN pg_database d ON d.oid = l.database AND d.datname = current_database()
    WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock' AND l.pid <> pg_backend_pid()
)
SELECT b.oid, b.rank <= 1 FROM best b JOIN pg_class c ON c.oid = b.oid AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE b.rank = 0 OR n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
                    AND b.oid NOT IN (SELECT oid FROM locked)
ORDER BY b.rank, n.nspname, c.relname LIMIT %(most)s
"""


def parameters(names: Iterable[str]) -> dict[str, Any]:
    """The names as parameters of queries. A dot may part a schema from a name, or be in a name."""
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
    }


def relations(conn: psycopg.Connection, asked: Mapping[str, Any]) -> dict[int, bool]:
    """The oids to read, the nearest first, and whether each is near: named, or read by a named view.

    A name may also mean an index, a sequence, a type, an extension or a function: then the tables behind it are meant.
    """
    meant: dict[str, list[int]] = defaultdict(list)
    for kind, oid in conn.execute(NAMED.encode(), asked):
        meant[kind].append(oid)
    named = {oid for kind, oids in meant.items() if kind not in BEHIND for oid in oids}
    for kind in meant.keys() & BEHIND.keys():
        behind = conn.execute(BEHIND[kind].encode(), {"oids": meant[kind], "most": MOST_OF_BODIES})
        named.update(oid for (oid,) in behind)
    limits = {"named": list(named), "most": len(named) + MOST_RELATED}
    return dict(conn.execute(RELATED.encode(), {**asked, **limits}).fetchall())
