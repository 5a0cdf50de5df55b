"""What the catalog changes in a verdict: empty tables, columns without values, types, keys, dependents."""

from __future__ import annotations

import pytest

from migrations_app.engines.risk.facts import ColumnFacts, ConstraintFacts, Facts, IndexFacts, TableFacts
from migrations_app.engines.risk.verdict import Analysis, RevisionSql, analyse, analyse_each, needed_tables

COLUMNS = {
    "id": ColumnFacts("id", "integer", not_null=True, has_values=True),
    "email": ColumnFacts("email", "character varying(200)", has_values=True),
    "unused": ColumnFacts("unused", "text", has_values=False),
    "price": ColumnFacts("price", "numeric(10,2)", has_values=True),
    "seen": ColumnFacts("seen", "timestamp with time zone", has_values=True),
    "born": ColumnFacts("born", "date", has_values=True),
    "ratio": ColumnFacts("ratio", "double precision", has_values=True),
    "tags": ColumnFacts("tags", "integer[]", has_values=True),
    "state": ColumnFacts("state", "state", has_values=True),
    "code": ColumnFacts("code", "character(3)", has_values=True),
    "active": ColumnFacts("active", "boolean", has_values=True),
}
KEYS = (
    ConstraintFacts("users_pkey", "primary", ("id",), "PRIMARY KEY (id)"),
    ConstraintFacts("id_given", "check", ("id",), "CHECK ((id IS NOT NULL))"),
)
USERS = TableFacts(
    "public",
    "users",
    rows=1_200_000,
    bytes=310_000_000,
    has_rows=True,
    columns=COLUMNS,
    constraints=KEYS,
    indexes=(IndexFacts("users_email_ix", ("email",)),),
    referenced_by=("public.orders",),
)
EMPTY = TableFacts("public", "empty", rows=0, has_rows=False, columns={"id": ColumnFacts("id", "bigint")})
ORDERS = TableFacts("public", "orders", has_rows=True)
FACTS = Facts(
    150004,
    {"public.users": USERS, "public.empty": EMPTY, "public.orders": ORDERS},
    asked=frozenset({"users", "empty", "missing", "app.users"}),
    enums={"public.state": ("old", "new")},
)


def judge(sql: str) -> Analysis:
    return analyse(sql, facts=FACTS)


@pytest.mark.parametrize(
    "sql",
    [
        "DROP TABLE empty",
        "TRUNCATE empty",
        "DELETE FROM empty",
        "ALTER TABLE empty DROP COLUMN id",
        "ALTER TABLE empty ALTER id TYPE smallint",
        "DROP TABLE IF EXISTS missing CASCADE",
        "DELETE FROM app.users",
        "CREATE TABLE IF NOT EXISTS missing (id int); DROP TABLE missing",
        "ALTER TABLE users DROP COLUMN unused",
        "UPDATE users SET unused = email",
        "ALTER TABLE users ADD COLUMN IF NOT EXISTS fresh int; ALTER TABLE users DROP COLUMN fresh",
        "DELETE FROM users WHERE email IS NOT NULL",
        "ALTER TABLE users DROP CONSTRAINT id_given",
    ],
)
def test_where_the_catalog_shows_that_nothing_is_lost_nobody_need_approve(sql: str) -> None:
    assert not judge(sql).dangerous


NARROWER = {
    "id": ["smallint", "numeric(5)", "boolean USING id::boolean", "real"],
    "email": ["varchar(199)", "char(10)", "integer USING email::integer", "uuid USING email::uuid"],
    "price": ["numeric(10,1)", "numeric(9,2)", "integer", "double precision", "bigint", "numeric(12,1)"],
    "seen": ["date", "timestamp", "timestamptz(3)", "time"],
    "ratio": ["real", "integer"],
    "tags": ["integer USING tags[1]", "smallint[]"],
    "code": ["char(2)", "varchar(2)"],
}
WIDER = {
    "id": ["bigint", "numeric", "numeric(10)", "double precision", "text", "bigint USING id::bigint", "varchar(11)"],
    "email": ["varchar(200)", "varchar(500)", "varchar", "text", "text USING email::text"],
    "price": ["numeric", "numeric(12,2)", "numeric(12,4)", "text"],
    "seen": ["timestamptz(6)", "text"],
    "born": ["timestamp", "timestamptz", "text"],
    "tags": ["bigint[]", "jsonb USING to_jsonb(tags)"],
    "state": ["text", "larger USING state::text::larger", "varchar(20) USING state::text"],
    "code": ["char(4)", "varchar(3)", "text"],
    "active": ["integer USING CASE WHEN active THEN 1 ELSE 0 END", "integer USING active::integer"],
}
TYPES = "CREATE TYPE smaller AS ENUM ('new'); CREATE TYPE larger AS ENUM ('old', 'new', 'other');"


@pytest.mark.parametrize(("column", "to"), [(column, to) for column, each in NARROWER.items() for to in each])
def test_a_narrower_type_is_dangerous(column: str, to: str) -> None:
    assert "type-narrowing" in judge(f"{TYPES} ALTER TABLE users ALTER {column} TYPE {to}").hazards


def test_an_enum_that_loses_a_label_is_dangerous() -> None:
    verdict = judge(f"{TYPES} ALTER TABLE users ALTER state TYPE smaller USING state::text::smaller")
    assert verdict.dangerous
    assert "enum-value-removal" in verdict.hazards


@pytest.mark.parametrize(("column", "to"), [(column, to) for column, each in WIDER.items() for to in each])
def test_a_wider_type_is_not(column: str, to: str) -> None:
    assert not judge(f"{TYPES} ALTER TABLE users ALTER {column} TYPE {to}").dangerous


def test_a_danger_says_how_much_is_at_stake() -> None:
    (finding,) = [found for found in judge("DROP TABLE users").findings if found.rule == "drop-table"]
    assert "about 1,200,000 rows" in finding.why
    assert "public.orders" in finding.why
    assert finding.evidence["rows"] == 1_200_000


def test_a_key_that_the_catalog_calls_not_null_makes_the_condition_trivial() -> None:
    assert judge("DELETE FROM users WHERE id IS NOT NULL").level == "critical"


def test_a_renamed_table_is_still_the_one_with_the_rows() -> None:
    verdict = judge("ALTER TABLE users RENAME TO people; DROP TABLE people")
    (finding,) = [found for found in verdict.findings if found.rule == "drop-table"]
    assert finding.evidence["was"] == "public.users"


def test_a_later_pending_revision_sees_the_rename_of_an_earlier_one() -> None:
    pending = [
        RevisionSql("a", ["ALTER TABLE users RENAME TO people", "CREATE TABLE fresh (id int)"]),
        RevisionSql("b", ["DROP TABLE people"]),
        RevisionSql("c", ["DROP TABLE fresh"]),
    ]
    assert [verdict.dangerous for verdict in analyse_each(pending, facts=FACTS)] == [False, True, False]


def test_without_a_catalog_what_an_earlier_revision_made_holds_data_by_now() -> None:
    history = [RevisionSql("a", ["CREATE TABLE t (id bigint)"]), RevisionSql("b", ["ALTER TABLE t ALTER id TYPE int"])]
    verdict = analyse_each(history)[1]
    assert verdict.hazards == ["type-narrowing", "alter-type-rewrite"]
    assert verdict.statements[0].revision == "b"


def test_after_set_search_path_a_bare_name_is_another_table() -> None:
    sql = "SET search_path = sales; DROP TABLE missing"
    assert judge(sql).dangerous
    assert needed_tables(sql) == {"missing", "sales.missing"}


def test_sql_of_a_revision_that_nobody_can_read_is_opaque_and_leaves_the_others_alone() -> None:
    found = analyse_each([RevisionSql("a", ["UPDATE t SET x = :x"]), RevisionSql("b", ["SELECT 1"])])
    assert [verdict.dangerous for verdict in found] == [True, False]
    assert "Line 1" in found[0].opaque[0]


def test_an_autocommit_block_is_outside_of_the_transaction() -> None:
    texts = ["ALTER TABLE users ADD COLUMN n int", "CREATE INDEX CONCURRENTLY i ON users (n)"]
    assert analyse_each([RevisionSql("a", texts, autocommit=[False, True])])[0].fails is None
    assert analyse_each([RevisionSql("a", texts, autocommit=[False, False])])[0].fails is not None


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE users (id int); DROP TABLE users",
        "CREATE TABLE users AS SELECT 1; TRUNCATE users",
        "ALTER TABLE users ADD COLUMN email text; ALTER TABLE users DROP COLUMN email",
    ],
)
def test_a_script_that_goes_on_after_an_error_meets_the_old_table(sql: str) -> None:
    assert judge(sql).dangerous


def test_what_is_dropped_first_and_made_anew_is_new() -> None:
    verdict = judge("DROP TABLE users; CREATE TABLE users (id int); TRUNCATE users")
    assert verdict.hazards == ["drop-table", "dependent-objects"]  # orders references users: 2BP01


def test_an_index_is_traced_to_its_table() -> None:
    assert judge("DROP INDEX users_email_ix").to_json()["statements"][0]["tables"] == ["public.users"]


def test_truncating_with_all_children_named_needs_no_cascade_warning() -> None:
    assert "truncate-cascade" not in judge("TRUNCATE users, orders CASCADE").hazards
    assert "truncate-cascade" in judge("TRUNCATE users CASCADE").hazards


def test_the_caller_is_told_which_tables_to_look_up() -> None:
    sql = "WITH x AS (DELETE FROM a) SELECT * FROM b.c, x; DROP INDEX ix; DO $$ BEGIN TRUNCATE d; END $$"
    assert needed_tables(sql) == {"a", "b.c", "ix", "d"}
