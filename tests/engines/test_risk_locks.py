"""The locks, scans and rewrites that the engine claims are those that PostgreSQL shows in pg_locks and relfilenodes."""

from __future__ import annotations

import re
from dataclasses import replace

import psycopg

from migrations_app.engines.postgres.facts import read_facts
from migrations_app.engines.risk import effects, nested, statements
from migrations_app.engines.risk.facts import ColumnFacts, Facts, TableFacts
from migrations_app.engines.risk.locking import locks
from migrations_app.engines.risk.locking.lock_modes import MODES, Touch
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement

from .lock_scene import Case, Measured, Scene, cases, scratch_database

QUERIES = {
    "select_stmt", "insert_stmt", "update_stmt", "delete_stmt", "merge_stmt", "explain_stmt", "copy_stmt",
    "declare_cursor_stmt", "create_table_as_stmt", "execute_stmt",
}  # fmt: skip
TYPES = [
    "int2", "int4", "int8", "float8", "numeric", "numeric(10,2)", "numeric(12,2)", "numeric(10,4)", "bool", "text",
    "varchar", "varchar(10)", "varchar(20)", "char(5)", "char(8)", "citext", "date", "time", "timestamp",
    "timestamp(3)", "timestamptz", "timestamptz(3)", "interval", "interval(3)", "json", "jsonb", "xml", "uuid",
    "inet", "cidr", "oid", "regclass", "bit(3)", "varbit", "varbit(5)", "mood", "plain_text", "filled_text",
    "positive", "int4[]", "text[]", "varchar[]", "varchar(5)[]", "varchar(9)[]",
]  # fmt: skip
# Every pair on the server at once: each change is undone by the error that ends its block.
CHANGES = """
CREATE FUNCTION changes(zone text, old text, kinds text[]) RETURNS TABLE (is_rewritten bool, new text)
LANGUAGE plpgsql AS $$ DECLARE node oid; BEGIN
    PERFORM set_config('timezone', zone, false);
    EXECUTE 'CREATE TEMP TABLE changed (c ' || old || ')';
    SELECT relfilenode INTO node FROM pg_class WHERE oid = 'changed'::regclass;
    FOREACH new IN ARRAY kinds LOOP
        BEGIN
            EXECUTE 'ALTER TABLE changed ALTER COLUMN c TYPE ' || new || ' USING c::' || new;
            SELECT relfilenode <> node INTO is_rewritten FROM pg_class WHERE oid = 'changed'::regclass;
            RAISE SQLSTATE 'P0099';
        EXCEPTION WHEN SQLSTATE 'P0099' THEN RETURN NEXT; WHEN OTHERS THEN NULL;
        END;
    END LOOP;
    DROP TABLE changed;
END $$"""


def claimed(parsed: list[Statement], facts: Facts) -> tuple[dict[str, Touch], locks.Footprint]:
    """The locks of the whole case by qualified name, and the footprint of its last statement with all inside it."""
    session = Session(facts, server_version=facts.server_version, is_transactional=True, statements=parsed)
    held: dict[str, Touch] = {}
    last = locks.Footprint()
    for statement in parsed:
        session.at(statement)
        parts = []
        for part in nested.unfold(statement, session):
            if part.node_name != nested.OPAQUE:
                parts.append(locks.footprint(part, session))
                effects.apply(part, session)
        for touch in (touch for part in parts for touch in part.touches):
            name = session.qualified(touch.name)
            held[name] = touch.with_all_of(held.get(name))
        last = locks.Footprint(scan=any(p.scan for p in parts), rewrite=any(p.rewrite for p in parts))
    return held, last


def strongest(modes: list[str]) -> str | None:
    return max(modes, key=MODES.index, default=None)


def differences(scene: Scene, case: Case, facts: Facts) -> list[str]:
    """What the engine says otherwise than the server."""
    parsed = statements.parse(case.sql)
    held, last = claimed(parsed, facts)
    mine = {name: touch.mode or "" for name, touch in held.items()}
    real = measured(scene, case, parsed, mine)
    found = []
    if strongest(list(real.locks.values())) != strongest(list(mine.values())) and "first" not in case.flags:
        found.append("lock")
    # Of a failing statement only the first lock on each table is seen; words stand for tables without a name.
    is_named = not any(" " in name for name in mine)
    # A query may skip partitions by their bounds: those locked are among those claimed, and no others.
    is_within = parsed[-1].node_name in QUERIES and real.locks.items() <= mine.items()
    if is_named and not case.is_waited_for and mine != real.locks and not is_within:
        found.append("tables")
    scans = bool(real.scans or real.rewrites) if "scan" not in case.flags else True
    # TRUNCATE puts a new empty file in place, and reads nothing but that for the new indexes.
    if real.scans is not None and parsed[-1].node_name != "truncate_stmt":
        if last.scan != (scans and "noscan" not in case.flags):
            found.append("scan")
        if last.rewrite != bool(real.rewrites):
            found.append("rewrite")
    return [f"{what} of {case.sql}: {mine} for {real}" for what in found]


def measured(scene: Scene, case: Case, parsed: list[Statement], mine: dict[str, str]) -> Measured:
    before, last = [each.sql for each in parsed[:-1]], parsed[-1]
    if not case.is_waited_for:
        return scene.measure(before, last.sql, is_query=last.node_name in QUERIES)
    words = set(re.findall(r"\w+", case.sql)) - {"public"}
    candidates = [name for name in scene.names.values() if name in mine or words & set(name.split("."))]
    return scene.wait_for(before, last.sql, candidates, outside="outside" in case.flags)


def whole_catalog(conn: psycopg.Connection, names: list[str]) -> Facts:
    facts = read_facts(conn, [*names, "citext", "hstore", "full_one", "other"])
    return replace(facts, asked=None)


def test_the_claims_are_true_for_every_kind_of_statement(primary_server_url: str) -> None:
    with scratch_database(primary_server_url) as (name, url):
        scene = Scene(url)
        try:
            facts = whole_catalog(scene.ddl, list(scene.names.values()))
            seen = [(case, differences(scene, case, facts)) for case in cases(facts.server_version, name)]
        finally:
            scene.close()
    assert [wrong for case, found in seen if "unlike" not in case.flags for wrong in found] == []
    # What cannot be known is marked, and no longer so once it is known.
    assert [case.sql for case, found in seen if "unlike" in case.flags and not found] == []
    assert len(seen) > 800
    assert sum(bool(found) for _, found in seen) <= 0.02 * len(seen)


def test_a_change_of_type_rewrites_the_table_exactly_when_it_is_said_to(primary_server_url: str) -> None:
    wrong, count = [], 0
    with scratch_database(primary_server_url) as (_, url), psycopg.connect(url, autocommit=True) as conn:
        catalog = whole_catalog(conn, ["public.t"])
        conn.execute(CHANGES)
        for zone, old in [("UTC", each) for each in TYPES] + [
            ("Asia/Tokyo", "timestamp"),
            ("Asia/Tokyo", "timestamptz"),
        ]:
            spelled = conn.execute("SELECT format_type(%s::regtype, NULL)", [old.split("(")[0]]).fetchone()
            assert spelled is not None
            column = ColumnFacts("c", old if "(" in old else spelled[0])
            facts = replace(
                catalog, timezone=zone, tables={"public.m": TableFacts("public", "m", columns={"c": column})}
            )
            for is_rewritten, new in conn.execute("SELECT * FROM changes(%s, %s, %s)", [zone, old, TYPES]).fetchall():
                count += 1
                parsed = statements.parse(f"ALTER TABLE m ALTER COLUMN c TYPE {new} USING c::{new}")
                if claimed(parsed, facts)[1].rewrite != is_rewritten:
                    wrong.append((zone, old, new, is_rewritten))
    assert wrong == []
    assert count > 600
