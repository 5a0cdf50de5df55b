"""How far a DELETE or UPDATE with a condition really reaches: by foreign keys, by NULLs, by bounds that it names."""

from __future__ import annotations

import pytest

from migrations_app.engines.risk.facts import ColumnFacts, ConstraintFacts, Facts, IndexFacts, TableFacts, TypeFacts
from migrations_app.engines.risk.verdict import Analysis, analyse

KEY = ConstraintFacts(
    "orders_account", "foreign", ("account_id",), references="public.accounts", referenced_columns=("id",)
)
ORDERS = TableFacts(
    "public", "orders", rows=50_000, has_rows=True, constraints=(KEY,),
    indexes=(IndexFacts("orders_pkey", ("id",), unique=True, primary=True),),
    columns={
        "id": ColumnFacts("id", "bigint", not_null=True, has_values=True, has_nulls=False),
        "account_id": ColumnFacts("account_id", "bigint", not_null=True, has_values=True, has_nulls=False),
        "seller_id": ColumnFacts("seller_id", "bigint", has_values=True, has_nulls=True),
        "note": ColumnFacts("note", "text", has_values=True, has_nulls=False),
        "legacy": ColumnFacts("legacy", "text", has_values=False, has_nulls=True),
    },
)  # fmt: skip
ACCOUNTS = TableFacts(
    "public", "accounts", rows=500, has_rows=True,
    columns={
        "id": ColumnFacts("id", "bigint", not_null=True, has_values=True, has_nulls=False),
        "kind": ColumnFacts("kind", "text", has_values=True, has_nulls=False),
    },
)  # fmt: skip
FACTS = Facts(
    160000,
    {"public.orders": ORDERS, "public.accounts": ACCOUNTS},
    types={
        "public.label": TypeFacts("domain", "text"),
        "public.short": TypeFacts("domain", "character varying(10)"),
    },
)


def judge(sql: str) -> Analysis:
    return analyse(sql, facts=FACTS)


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM orders WHERE account_id IN (SELECT id FROM accounts)",
        "DELETE FROM orders o USING accounts a WHERE a.id = o.account_id",
        "DELETE FROM orders o WHERE EXISTS (SELECT 1 FROM accounts a WHERE a.id = o.account_id)",
        "UPDATE orders SET note = a.kind FROM accounts a WHERE a.id = account_id",
        "MERGE INTO orders o USING accounts a ON o.account_id = a.id WHEN MATCHED THEN DELETE",
        "UPDATE orders SET note = 'x' WHERE legacy IS NULL",
        "UPDATE orders SET note = NULL WHERE note IS NOT NULL",
        "ALTER TABLE orders ADD COLUMN fresh text; DELETE FROM orders WHERE fresh IS NULL",
    ],
)
def test_a_condition_that_every_row_meets_is_none(sql: str) -> None:
    assert judge(sql).dangerous


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM orders WHERE seller_id IN (SELECT id FROM accounts)",
        "DELETE FROM orders WHERE account_id IN (SELECT id FROM accounts WHERE kind = 'test')",
        "DELETE FROM orders WHERE account_id IN (SELECT id FROM accounts LIMIT 5)",
        "DELETE FROM orders o USING accounts a WHERE a.id = o.account_id AND a.kind = 'test'",
        "DELETE FROM orders o USING accounts a WHERE a.id = o.account_id AND kind = 'test'",
        "DELETE FROM orders o USING accounts a JOIN vips v ON v.id = a.id WHERE a.id = o.account_id",
        "MERGE INTO orders o USING accounts a ON o.account_id = a.id WHEN MATCHED AND a.kind = 'test' THEN DELETE",
        "UPDATE orders SET legacy = 'x' WHERE legacy IS NULL",
        "UPDATE orders SET legacy = 'x'; UPDATE orders SET note = 'x' WHERE legacy IS NULL",
    ],
)
def test_a_condition_that_may_choose_is_one(sql: str) -> None:
    assert not judge(sql).dangerous


@pytest.mark.parametrize(
    ("where", "is_batch"),
    [
        ("id BETWEEN 1 AND 1000", True),
        ("id >= 5 AND id < 1005", True),
        ("id IN (SELECT id FROM orders WHERE legacy IS NULL LIMIT 1000)", True),
        ("ctid IN (SELECT ctid FROM orders WHERE legacy IS NULL LIMIT 1000)", True),
        ("id BETWEEN 1 AND 1000000", False),
        ("account_id BETWEEN 1 AND 10", False),
        ("account_id IN (SELECT account_id FROM orders LIMIT 10)", False),
    ],
)
def test_a_stretch_of_the_key_is_a_batch(where: str, is_batch: bool) -> None:
    hazards = judge(f"UPDATE orders SET legacy = 'x' WHERE {where}").hazards
    assert ("unbatched-backfill" not in hazards) is is_batch


def test_batches_in_one_transaction_are_one_long_statement() -> None:
    batch = "UPDATE orders SET legacy = 'x' WHERE id BETWEEN {} AND {};"
    twice = batch.format(1, 1000) + batch.format(1001, 2000)
    assert "unbatched-backfill" in judge(twice).hazards
    assert "unbatched-backfill" not in analyse(twice, facts=FACTS, transactional=False).hazards


def test_the_catalog_is_no_table_to_fill() -> None:
    assert judge("UPDATE pg_class SET reltuples = 0").hazards == ["catalog-write"]


def test_a_domain_is_judged_by_what_it_is_over() -> None:
    assert not judge("ALTER TABLE orders ALTER note TYPE label").dangerous
    assert judge("ALTER TABLE orders ALTER note TYPE short").dangerous


@pytest.mark.parametrize("later", ["CREATE INDEX ON orders (note)", "ALTER TABLE orders ADD CHECK (id > 0)"])
def test_work_on_the_locked_table_itself_is_long_for_its_readers(later: str) -> None:
    assert "work-after-exclusive-lock" in judge(f"ALTER TABLE orders ADD COLUMN fresh text; {later}").hazards
