"""What a rehearsal reads beside each statement, in the session that runs it: locks, new files, the catalog as lines.

Everything goes through a cursor of the driver, so SQLAlchemy neither sees it nor begins a transaction for it. Nothing
here commits, and nothing is asked in a transaction that has failed.
"""

from __future__ import annotations

import re
import sys
from typing import Any

from .project import sqlstate

TABLES = "('r', 'p', 'v', 'm', 'f')"
OURS = (
    "n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast', 'tidegate') AND n.nspname NOT LIKE 'pg\\_%temp%'"
)
RELATIONS = f"""
SELECT c.oid::bigint, n.nspname || '.' || c.relname, c.relfilenode::bigint
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN {TABLES} AND {OURS}"""  # noqa: S608 - constants of this file
# A dropped table has lost its name in the catalog, but its lock is held to the end of the transaction.
LOCKS = f"""
SELECT l.relation::bigint, l.mode, l.virtualtransaction, n.nspname || '.' || c.relname, c.relfilenode::bigint,
       coalesce(c.relkind IN {TABLES} AND {OURS}, false)
FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_class c ON c.oid = l.relation
LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE l.locktype = 'relation' AND l.granted AND l.pid = pg_catalog.pg_backend_pid()
  AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())"""  # noqa: S608 - as above
MODES = (
    "ACCESS SHARE",
    "ROW SHARE",
    "ROW EXCLUSIVE",
    "SHARE UPDATE EXCLUSIVE",
    "SHARE",
    "SHARE ROW EXCLUSIVE",
    "EXCLUSIVE",
    "ACCESS EXCLUSIVE",
)
READS = ("ACCESS SHARE", "ROW SHARE")
# After these there is nothing to see, and a query might begin a transaction that the revision does not expect.
SESSION = re.compile(r"\s*(BEGIN|START|COMMIT|END|ROLLBACK|ABORT|SET|RESET|SHOW|SAVEPOINT|RELEASE|DISCARD)\b", re.I)
NO_TRANSACTION = "25P01"
TRUNCATES = re.compile(r"\bTRUNCATE\b", re.I)
REWRITES = re.compile(r"\b(ALTER|CLUSTER|VACUUM|REFRESH)\b", re.I)
LITERAL = re.compile(r"'[^']*'")
ROWS = re.compile(r"[\s(]*(SELECT|WITH|TABLE|UPDATE|DELETE|MERGE|FETCH|EXECUTE|CALL)\b", re.I)
BLOCK = re.compile(r"\s*DO\b", re.I)
PLAIN = re.compile(r"[\w$]+\Z")
CALLS = re.compile(r"[\s(]*(SELECT|CALL|DO)\b", re.I)


def rows(dbapi: Any, sql: str) -> list[Any]:
    cursor = dbapi.cursor()
    try:
        cursor.execute(sql)
        return list(cursor.fetchall())
    finally:
        cursor.close()


class Tables:
    """The user tables as the run finds and changes them, and what of them a transaction has locked."""

    def __init__(self, dbapi: Any, skipped: set[str]) -> None:
        self.skipped = skipped  # the version table, in its spellings
        self.names: dict[int, str] = {}
        self.files: dict[int, int] = {}
        self._refresh(dbapi)
        self.old = frozenset(self.names)
        self.held: set[tuple[int, str]] = set()
        self.transaction = ""

    def _refresh(self, dbapi: Any) -> set[int]:
        """Reads them all; gives those with a new file."""
        found = rows(dbapi, RELATIONS)
        new = {oid for oid, _, file in found if self.files.get(oid, file) != file}
        self.names = {oid: name for oid, name, _ in found if not self._skips(name)}
        self.files = {oid: file for oid, _, file in found}
        return new

    def _skips(self, name: str) -> bool:
        return name in self.skipped or name.partition(".")[2] in self.skipped

    def look(self, dbapi: Any, sql: str, autocommit: bool, inner: list[str]) -> dict[str, Any]:
        """What the statement that has just run (and the `inner` ones that it ran in the server) did to tables, under
        the names they had before it.

        PostgreSQL does not say again that a lock is taken which is held already. So a table counts as locked by this
        statement when there is a new lock on it, or when the statement names it.
        """
        if SESSION.match(sql):
            return {}
        names = dict(self.names)
        if autocommit:
            new = self._refresh(dbapi)
            self.held = set()
            took: set[tuple[int, str]] = set()
        else:
            took, new = self._locks(dbapi, names)
        said = "\n".join([sql, *inner])
        named = naming(said, names)
        touched = {oid for oid, _ in took} | named
        rewritten = new & self.old if REWRITES.search(said) or not TRUNCATES.search(said) else set()
        now = {oid for oid, _ in self.held}
        return {
            "locks": self._strongest({lock for lock in self.held if lock[0] in touched}, names),
            "held": self._strongest(self.held, names),
            "new_tables": sorted(names[oid] for oid in now - self.old),
            "rewritten": sorted(names[oid] for oid in rewritten if oid in names),
            "candidates": self._candidates(sql, touched if not autocommit else named, names),
            "hidden": self._hidden(sql, took, named, names),
        }

    def _locks(self, dbapi: Any, names: dict[int, str]) -> tuple[set[tuple[int, str]], set[int]]:
        held, new = set(), set()
        for oid, mode, transaction, name, file, ours in rows(dbapi, LOCKS):
            if transaction != self.transaction:
                self.transaction, self.held = transaction, set()
            if name is not None and (not ours or self._skips(name)):
                continue
            if name is not None:
                names.setdefault(oid, name)
                self.names[oid] = name
                if self.files.get(oid, file) != file:
                    new.add(oid)
                self.files[oid] = file
            if oid in names:
                held.add((oid, words(mode)))
        took, self.held = held - self.held, held
        return took, new

    def _strongest(self, locks: set[tuple[int, str]], names: dict[int, str]) -> dict[str, str]:
        found: dict[str, str] = {}
        for oid, mode in sorted(locks, key=lambda lock: MODES.index(lock[1])):
            found[names[oid]] = mode
        return found

    def _candidates(self, sql: str, touched: set[int], names: dict[int, str]) -> list[str]:
        """Tables from before the run whose rows are in the result, should anybody fetch it."""
        return sorted(names[oid] for oid in touched & self.old) if ROWS.match(sql) else []

    def _hidden(self, sql: str, took: set[tuple[int, str]], named: set[int], names: dict[int, str]) -> list[str]:
        """Tables from before the run that code inside the server has read: a function, or a DO block."""
        if not CALLS.match(sql) or "pg_get_viewdef" in sql:
            return []
        if BLOCK.match(sql):
            read = {oid for oid, mode in self.held if mode in READS} & named
        else:
            read = {oid for oid, mode in took if mode in READS} - named
        return sorted(names[oid] for oid in read & self.old)


def naming(sql: str, names: dict[int, str]) -> set[int]:
    """The tables whose bare name stands in the SQL, not counting what stands in quotes as a value."""
    text = (sql if BLOCK.match(sql) else LITERAL.sub("''", sql)).lower()
    spoken = set(re.findall(r"[\w$]+", text))
    bare = ((oid, name.partition(".")[2].lower()) for oid, name in names.items())
    return {oid for oid, name in bare if name in spoken or (not PLAIN.match(name) and name in text)}


def words(mode: str) -> str:
    """AccessExclusiveLock -> ACCESS EXCLUSIVE."""
    return " ".join(re.findall("[A-Z][a-z]+", mode[: -len("Lock")])).upper()


class Catalog:
    """The schema as lines, told as what came and what went since the last look."""

    def __init__(self, sql: str, excluded: str) -> None:
        self.sql = sql.replace("%(excluded)s", "ARRAY['{}']".format(excluded.replace("'", "''")))
        self.lines: set[str] = set()

    def changes(self, dbapi: Any) -> dict[str, list[str]]:
        """pg_get_viewdef and its kin take locks: in a transaction they go with a savepoint, as does the setting."""
        inside = not is_autocommit(dbapi) and begins(dbapi, "SAVEPOINT tidegate_look")
        path = rows(dbapi, "SELECT pg_catalog.current_setting('search_path')")[0][0]
        # With an empty path every name comes out qualified.
        rows(dbapi, "SELECT pg_catalog.set_config('search_path', '', false)")
        found = rows(dbapi, self.sql)
        if inside:
            begins(dbapi, "ROLLBACK TO SAVEPOINT tidegate_look")
            begins(dbapi, "RELEASE SAVEPOINT tidegate_look")
        else:
            rows(dbapi, f"SELECT pg_catalog.set_config('search_path', {quoted(path)}, false)")
        lines = {"\t".join((kind, name.replace("\t", " "), detail or "")) for kind, name, detail in found}
        told = {"added": sorted(lines - self.lines), "removed": sorted(self.lines - lines)}
        self.lines = lines
        return told


def begins(dbapi: Any, command: str) -> bool:
    """False when the server has no transaction open, although the driver may think so: a revision may send COMMIT."""
    cursor = dbapi.cursor()
    try:
        cursor.execute(command)
    except Exception as exc:
        if sqlstate(exc) != NO_TRANSACTION:
            raise
        return False
    finally:
        cursor.close()
    return True


def is_autocommit(dbapi: Any) -> bool:
    return bool(getattr(dbapi, "autocommit", False))


def rendered(cursor: Any, statement: str, parameters: Any, many: bool, doubled: bool) -> str:
    """The statement with its values in it; of many rows of values the first. `doubled`: a plain % is written %%."""
    first = parameters[0] if many and parameters else parameters
    more = len(parameters) - 1 if many and parameters else 0
    try:
        text = _by_driver(cursor, statement, first) if first else statement.replace("%%", "%" if doubled else "%%")
    except Exception:  # noqa: BLE001 - a value that the driver can send but not show
        text = filled(statement, first)
    return f"{text} /* and {more} more rows of values */" if more else text


def _by_driver(cursor: Any, statement: str, parameters: Any) -> str:
    shower = cursor
    if not hasattr(cursor, "mogrify"):  # psycopg 3 has it only on the kind of cursor that binds in the client
        psycopg = sys.modules.get("psycopg")
        if psycopg is None or not isinstance(cursor, psycopg.Cursor):
            return filled(statement, parameters)
        shower = psycopg.ClientCursor(cursor.connection)
    text = shower.mogrify(statement, parameters)
    return text.decode() if isinstance(text, bytes) else str(text)


PLACE = re.compile(r"%\((\w+)\)s|%s|\$(\d+)|(?<!:):(\w+)|%%")


def filled(statement: str, parameters: Any) -> str:
    """Values as literals, for drivers that send them apart from the SQL."""
    rest = iter(parameters if isinstance(parameters, (list, tuple)) else ())

    def value(match: Any) -> str:
        if match[0] == "%%":
            return "%"
        try:
            if match[2]:
                return quoted(parameters[int(match[2]) - 1])
            name = match[1] or match[3]
            return quoted(parameters[name] if name else next(rest))
        except (KeyError, IndexError, TypeError, StopIteration):
            return str(match[0])

    return PLACE.sub(value, statement)


def quoted(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    return "'{}'".format(str(value).replace("'", "''"))
