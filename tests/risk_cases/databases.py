"""Databases that are emptied and used again: making one for each of several hundred cases would take most of the time.

What is in the whole cluster (roles) stays; the cases that need one make it if it is not there.
"""

from __future__ import annotations

import queue
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import psycopg

from bench.cases import Fresh, scratch_database

EMPTY = """
DO $$
DECLARE name text;
BEGIN
  FOR name IN SELECT pubname FROM pg_publication LOOP EXECUTE format('DROP PUBLICATION %I', name); END LOOP;
  FOR name IN SELECT extname FROM pg_extension WHERE extname <> 'plpgsql' LOOP
    EXECUTE format('DROP EXTENSION IF EXISTS %I CASCADE', name);
  END LOOP;
  FOR name IN SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' LOOP
    EXECUTE format('DROP SCHEMA %I CASCADE', name);
  END LOOP;
  FOR name IN SELECT amname FROM pg_am WHERE oid > 16383 LOOP EXECUTE format('DROP ACCESS METHOD %I', name); END LOOP;
  PERFORM lo_unlink(oid) FROM pg_largeobject_metadata;
END $$;
CREATE SCHEMA public;
"""


@contextmanager
def reused(admin_url: str, count: int) -> Iterator[Fresh]:
    """A source of at most `count` empty databases at a time."""
    free: queue.Queue[str] = queue.Queue()

    @contextmanager
    def fresh() -> Iterator[str]:
        url = free.get()
        try:
            with psycopg.connect(url, autocommit=True) as conn:  # not kept: a rehearsal clones it, and must be alone
                conn.execute(EMPTY)
            yield url
        finally:
            free.put(url)

    with ExitStack() as made:
        for _ in range(count):
            free.put(made.enter_context(scratch_database(admin_url)))
        yield fresh
