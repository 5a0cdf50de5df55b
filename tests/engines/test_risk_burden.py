"""Scans, rewrites and locks of tables: what makes them matter, and what makes them harmless."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from migrations_app.engines.risk.facts import ColumnFacts, ConstraintFacts, Facts, IndexFacts, TableFacts
from migrations_app.engines.risk.verdict import RevisionSql, analyse, analyse_each

COLUMNS = {
    name: ColumnFacts(name, type_name)
    for name, type_name in {"id": "bigint", "age": "integer", "at": "timestamp without time zone", "s": "text"}.items()
}


def catalog(rows: int | None = 5_000_000, *, version: int = 150000, timezone: str = "UTC", **more: object) -> Facts:
    size = None if rows is None else rows * 100
    table = TableFacts(
        "public", "users", rows=rows, bytes=size, has_rows=rows != 0, columns=COLUMNS, **more
    )  # fmt: skip
    return Facts(version, {"public.users": table}, timezone=timezone)


def rules(sql: str | Sequence[str], facts: Facts | None = None, *, transactional: bool = True) -> dict[str, str]:
    """What fires besides advice about the shape of the transaction, each with its severity."""
    found = analyse(sql, facts=facts, transactional=transactional).findings
    return {finding.rule: finding.severity for finding in found}


HEAVY = {
    "ALTER TABLE users ALTER age TYPE bigint": "alter-type-rewrite",
    "ALTER TABLE users ADD COLUMN u uuid DEFAULT gen_random_uuid()": "add-column-volatile-default",
    "ALTER TABLE users ADD COLUMN n serial": "add-column-identity",
    "ALTER TABLE users ADD COLUMN g bigint GENERATED ALWAYS AS (id * 2) STORED": "add-column-stored-generated",
    "ALTER TABLE users ADD COLUMN c text UNIQUE": "add-column-inline-constraint",
    "ALTER TABLE users ALTER s SET NOT NULL": "set-not-null-scan",
    "ALTER TABLE users ADD CHECK (age > 0)": "add-check-validated",
    "ALTER TABLE users ADD UNIQUE (s)": "add-unique-blocking",
    "ALTER TABLE users ADD PRIMARY KEY (id)": "add-pk-blocking",
    "ALTER TABLE users ADD EXCLUDE USING gist (s WITH =)": "add-exclusion",
    "CREATE INDEX ix ON users (s)": "create-index-blocking",
    "REINDEX TABLE users": "reindex-blocking",
    "CLUSTER users USING users_pkey": "cluster",
    "ALTER TABLE users SET TABLESPACE fast": "set-tablespace",
    "ALTER TABLE users SET ACCESS METHOD other": "set-access-method",
    "LOCK TABLE users": "explicit-lock-table",
    "CREATE TRIGGER t BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION f()": "create-trigger-lock",
}


@pytest.mark.parametrize(("sql", "rule"), HEAVY.items())
def test_heavy_work_is_a_hazard_on_a_full_table_and_advice_on_an_empty_one_and_nothing_on_a_new_one(
    sql: str, rule: str
) -> None:
    assert rules(sql, catalog())[rule] == "hazard"
    assert rules(sql)[rule] == "hazard"
    assert rules(sql, catalog(0))[rule] == "advice"
    new = "CREATE TEMP TABLE users (id bigint, age integer, s text);"
    assert rule not in rules(f"{new} {sql}")
    assert rule not in rules(f"{new} {sql}", catalog())


def test_the_reason_names_rows_and_bytes_and_says_of_a_small_table_that_it_is_brief() -> None:
    sql = "ALTER TABLE users ALTER s SET NOT NULL"
    (large,), (small,) = ([f for f in analyse(sql, facts=catalog(rows)).findings if f.rule == "set-not-null-scan"]
                          for rows in (5_000_000, 300))  # fmt: skip
    assert "5,000,000 rows" in large.why
    assert "MB" in large.why
    assert "brief" not in large.why
    assert "brief" in small.why
    assert small.severity == "hazard"


@pytest.mark.parametrize(("zone", "is_rewritten"), [("UTC", False), ("Europe/Paris", True)])
def test_a_timestamp_becomes_a_timestamptz_without_a_rewrite_only_in_utc(zone: str, *, is_rewritten: bool) -> None:
    change = "ALTER TABLE users ALTER at TYPE timestamptz"
    assert ("alter-type-rewrite" in rules(change, catalog(timezone=zone))) == is_rewritten
    assert ("alter-type-rewrite" in rules(f"SET LOCAL timezone = '{zone}'; {change}", catalog())) == is_rewritten


def test_a_check_spares_the_scan_for_nulls_only_when_it_is_validated_and_from_postgresql_12_on() -> None:
    proof = ConstraintFacts("given", "check", ("s",), "CHECK ((s IS NOT NULL))")
    sql = "ALTER TABLE users ALTER s SET NOT NULL"
    assert "set-not-null-scan" not in rules(sql, catalog(constraints=(proof,)))
    assert "set-not-null-scan" in rules(sql, catalog(version=110000, constraints=(proof,)))
    assert "set-not-null-scan" in rules(f"ALTER TABLE users ADD CHECK (s IS NOT NULL) NOT VALID; {sql}", catalog())
    assert "set-not-null-scan" not in rules("ALTER TABLE users ADD CONSTRAINT n NOT NULL s NOT VALID", catalog())
    assert "set-not-null-scan" in rules("ALTER TABLE users ADD CONSTRAINT n NOT NULL s", catalog())


def test_what_is_to_be_unique_on_a_partitioned_table_has_to_hold_the_key_of_its_partitions() -> None:
    parts = catalog(kind="partitioned", partition_key="RANGE (at, id)")
    told = {
        columns: analyse(f"ALTER TABLE users ADD UNIQUE ({columns})", facts=parts).fails for columns in ("id", "at, id")
    }
    assert (told["id"] or {}).get("sqlstate") == "0A000"
    assert told["at, id"] is None


def test_an_index_that_is_there_or_that_only_the_parent_gets_reads_no_row() -> None:
    there = catalog(indexes=(IndexFacts("ix", ("s",)),))
    assert "create-index-blocking" not in rules("CREATE INDEX IF NOT EXISTS ix ON users (s)", there)
    assert "create-index-blocking" not in rules("CREATE INDEX ix ON ONLY users (s)", catalog(kind="partitioned"))
    assert "create-index-blocking" in rules("CREATE INDEX ix ON ONLY users (s)", catalog())
    assert "drop-index-blocking" not in rules("DROP INDEX IF EXISTS nowhere", catalog())


def test_what_must_stand_alone_may_stand_in_an_autocommit_block_but_not_in_a_do_block() -> None:
    build = "CREATE INDEX CONCURRENTLY ix ON users (s)"
    inside, outside = (analyse_each([RevisionSql("r", [build], autocommit=[flag])])[0] for flag in (False, True))
    assert inside.fails is not None
    assert inside.fails["sqlstate"] == "25001"
    assert outside.fails is None
    in_body = analyse(f"DO $$ BEGIN {build}; END $$", transactional=False)
    assert [f.fails for f in in_body.findings if f.rule == "concurrently-in-transaction"] == ["25001"]


def test_a_constraint_may_take_over_a_valid_index_but_not_an_invalid_one() -> None:
    sql = "ALTER TABLE users ADD CONSTRAINT u UNIQUE USING INDEX ux"
    valid, invalid = (catalog(indexes=(IndexFacts("ux", ("s",), True, valid=flag),)) for flag in (True, False))
    assert set(rules(sql, valid)) & {"add-unique-blocking", "invalid-index-leftover"} == set()
    assert rules(sql, invalid)["invalid-index-leftover"] == "hazard"
    assert "invalid-index-leftover" not in rules(f"DROP INDEX ux; CREATE UNIQUE INDEX ux ON users (s); {sql}", invalid)
