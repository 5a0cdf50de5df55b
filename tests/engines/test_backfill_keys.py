"""Every shape of key is walked to its end, each row exactly once, in the order of its index."""

import pytest

from migrations_app.engines.backfill import statements
from migrations_app.errors import Invalid
from tests.engines.backfill_scene import checked, counters, go


@pytest.fixture
def conn(database_url, admin_conn):
    return admin_conn(database_url)


KEYS = {
    "bigint with gaps": (
        "id bigint PRIMARY KEY",
        "SELECT CASE WHEN g <= 100 THEN g - 50 ELSE g * 1000000007::bigint END",
    ),
    "int": ("id int PRIMARY KEY", "SELECT g"),
    "uuid": ("id uuid PRIMARY KEY", "SELECT md5(g::text)::uuid"),
    "text": ("id text PRIMARY KEY", "SELECT chr(64 + g) || E'\\\\ \"' || '%s' || repeat(chr(g), g % 3)"),
    "text C": ('id text COLLATE "C" PRIMARY KEY', "SELECT chr(64 + g) || g"),
    "varchar": ("id varchar(9) PRIMARY KEY", "SELECT g::varchar"),
    "char": ("id char(9) PRIMARY KEY", "SELECT g::char(9)"),
    "date": ("id date PRIMARY KEY", "SELECT CASE WHEN g = 1 THEN '-infinity'::date ELSE '0044-03-15 BC'::date + g END"),
    "timestamptz": (
        "id timestamptz PRIMARY KEY",
        "SELECT CASE WHEN g = 9 THEN 'infinity' ELSE '2026-01-31 01:02:03.4Z'::timestamptz + '1h'::interval * g END",
    ),
    "timestamp": ("id timestamp PRIMARY KEY", "SELECT '2026-01-31'::timestamp + g * interval '1 microsecond'"),
    "numeric": ("id numeric PRIMARY KEY", "SELECT 123456789012345678901234.5 + g / 7.0"),
    "boolean and enum": (
        "a bool, b mood, c int, PRIMARY KEY (a, b, c)",
        "SELECT g % 2 = 0, (ARRAY['sad', 'ok'])[g % 2 + 1]::mood, g",
    ),
    "composite": (
        "a text, b int, c date, PRIMARY KEY (a, b, c)",
        "SELECT chr(65 + g % 3), g / 5, '2026-01-01'::date + g",
    ),
    "descending": ("a int, b int NOT NULL", "SELECT g % 7, g"),
    "partitioned": ("a int, b int, PRIMARY KEY (a, b)", "SELECT g % 4, g"),
}


@pytest.mark.parametrize("shape", KEYS)
def test_each_kind_of_key_is_walked_exactly_once(conn, shape):
    columns, rows = KEYS[shape]
    conn.execute("SET datestyle = 'SQL, DMY'; CREATE TYPE mood AS ENUM ('ok', 'sad')")
    conn.execute(
        f"CREATE TABLE t ({columns}, n int DEFAULT 0) {'PARTITION BY LIST (a)' if shape == 'partitioned' else ''}"
    )
    if shape == "partitioned":
        conn.execute("CREATE TABLE t1 PARTITION OF t FOR VALUES IN (0, 1); CREATE TABLE t2 PARTITION OF t DEFAULT")
    if shape == "descending":
        conn.execute("ALTER TABLE t ALTER a SET NOT NULL; CREATE UNIQUE INDEX down ON t (a DESC, b DESC)")
    conn.execute(f"INSERT INTO t SELECT s.* FROM generate_series(1, 200) g, LATERAL ({rows}) s")
    what = checked(conn, "t", key=("a", "b") if shape == "descending" else None, n="n + 1")
    sizes = []
    result = go(conn, what, chunk_rows=10, on_chunk=lambda done: sizes.append(done.scanned))
    assert (result.done, result.rows, result.scanned, sum(sizes)) == (True, 200, 200, 200)
    assert counters(conn) == [(1, 200)]
    assert len(sizes) > 3


def test_composite_bounds_are_row_comparisons_and_use_the_index(conn):
    conn.execute("CREATE TABLE t (a int, b int, n int, PRIMARY KEY (a, b))")
    conn.execute("INSERT INTO t SELECT a, b FROM generate_series(1, 100) a, generate_series(1, 100) b; ANALYZE t")
    change = checked(conn, "t", n="1").change
    assert statements.next_bound(conn, change, ("1", "99"), ("100", "100"), 3) == ("2", "2")
    assert statements.update(conn, change, ("1", "99"), ("2", "2")) == 3
    text = statements.update_sql(change, True).as_string(conn).replace("$1", "2").replace("$2", "2")
    plan = str(conn.execute("EXPLAIN " + text.replace("$3", "1").replace("$4", "99")).fetchall())
    assert "Index Cond: ((ROW(a, b) <= ROW(2, 2)) AND (ROW(a, b) > ROW(1, 99)))" in plan


def test_the_order_is_that_of_the_index_not_of_the_column(conn):
    conn.execute('CREATE TABLE t (name text COLLATE "C" NOT NULL, n int)')
    conn.execute("CREATE UNIQUE INDEX by_name ON t (name COLLATE ucs_basic)")
    change = checked(conn, "t", key=("name",), n="1").change
    assert change.key.order().as_string(conn) == '"name" COLLATE "pg_catalog"."ucs_basic" ASC'
    conn.execute("INSERT INTO t SELECT 'x' || g FROM generate_series(1, 5000) g; ANALYZE t")
    plan = str(
        conn.execute(
            "EXPLAIN " + statements.update_sql(change, False).as_string(conn).replace("$1", "'x10'")
        ).fetchall()
    )
    assert "by_name" in plan


def test_a_unique_key_is_found_in_any_order_of_its_columns(conn):
    conn.execute("CREATE TABLE t (a int NOT NULL, b int NOT NULL, n int, UNIQUE (a, b) INCLUDE (n))")
    assert checked(conn, "t", key=("b", "a"), n="1").key.names == ("a", "b")


def test_the_primary_key_is_taken_before_other_unique_keys(conn):
    conn.execute("CREATE TABLE t (id int NOT NULL UNIQUE, a int, b int, n int, PRIMARY KEY (a, b))")
    assert checked(conn, "t", n="1").key.names == ("a", "b")


UNUSABLE = {
    "a partial index": "CREATE UNIQUE INDEX ON t (k) WHERE k > 0",
    "an index on an expression": "CREATE UNIQUE INDEX ON t ((k + 1))",
    "an index that is not unique": "CREATE INDEX ON t (k)",
    "a wider index": "CREATE UNIQUE INDEX ON t (k, m)",
    "an order in two directions": "CREATE UNIQUE INDEX ON t (k DESC, m)",
    "no index": "SELECT 1",
}


def test_keys_that_no_walk_can_follow_are_refused(conn):
    conn.execute("CREATE TABLE t (k int NOT NULL, m int NOT NULL, n int)")
    for kind, index in UNUSABLE.items():
        with conn.transaction(force_rollback=True):
            conn.execute(index)
            with pytest.raises(Invalid, match="not a unique key") as refusal:
                checked(conn, "t", key=("k", "m") if "directions" in kind else ("k",), n="1")
        assert refusal.value.errors[0].pointer == "/key", kind
