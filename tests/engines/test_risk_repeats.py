"""Rows of data are judged as the first one like them, and nothing else is."""

from __future__ import annotations

import pytest

from migrations_app.engines.risk.verdict import analyse

ROW = "INSERT INTO log (id, word) VALUES (1, 'a')"


@pytest.mark.parametrize(
    "harmful",
    [
        "INSERT INTO log (id, word) VALUES (2, pg_catalog.lo_unlink(7))",
        "INSERT INTO log (id, word) SELECT 2, 'b'",
        "DELETE FROM log WHERE 1 = 1",
        "UPDATE log SET word = 'b' WHERE 2 = 2",
        "INSERT INTO log (id, word) VALUES (2, 'b') ON CONFLICT (id) DO UPDATE SET word = 'b'",
    ],
)
def test_a_row_like_the_others_hides_nothing_else(harmful: str) -> None:
    alone, among = analyse(harmful), analyse(";\n".join([ROW, ROW, harmful, ROW]))
    assert among.hazards == alone.hazards
    assert among.dangerous == alone.dangerous


def test_a_point_change_does_not_stand_for_one_of_all_rows() -> None:
    found = analyse("DELETE FROM log WHERE id = 1; DELETE FROM log WHERE id = 2; DELETE FROM log WHERE id = id")
    assert [bool(statement.findings) for statement in found.statements] == [False, False, True]


def test_quotes_of_another_kind_are_not_taken_for_strings() -> None:
    found = analyse("""INSERT INTO log VALUES (1, 'a'); INSERT INTO log VALUES (1, $x$'$x$); DELETE FROM log""")
    assert [statement.kind for statement in found.statements] == ["INSERT", "INSERT", "DELETE"]
    assert found.dangerous


def test_each_repeat_keeps_its_own_text_and_line() -> None:
    found = analyse("INSERT INTO log VALUES (1);\nINSERT INTO log VALUES (2);")
    assert [(one.line, one.sql) for one in found.statements] == [
        (1, "INSERT INTO log VALUES (1)"),
        (2, "INSERT INTO log VALUES (2)"),
    ]


def test_after_a_table_is_dropped_its_rows_are_judged_anew() -> None:
    found = analyse("CREATE TABLE t (id int); INSERT INTO t VALUES (1); DROP TABLE t; INSERT INTO t VALUES (1)")
    assert [statement.lock for statement in found.statements] == [None, None, None, None]
    found = analyse(
        "INSERT INTO t VALUES (1); ALTER TABLE t RENAME TO old; CREATE TABLE t (id int); INSERT INTO t VALUES (1)"
    )
    assert [statement.lock for statement in found.statements][::3] == ["ROW EXCLUSIVE", None]
