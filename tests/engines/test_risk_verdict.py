"""The shape of a verdict, its levels, and what bad input gets."""

from __future__ import annotations

import pytest

from migrations_app.engines.risk.verdict import RULESET_VERSION, analyse, combine
from migrations_app.errors import Invalid, TooLarge


def test_the_answer_has_exactly_the_fields_of_the_contract() -> None:
    answer = analyse("SELECT 1;\n\n-- gone\nDROP TABLE users", revision="abc").to_json()
    assert set(answer) == {
        "dangerous", "level", "statements", "findings", "hazards", "lock", "rewrite", "opaque", "facts", "rehearsed",
        "fails",
    }  # fmt: skip
    statement = answer["statements"][1]
    assert set(statement) == {
        "index", "line", "sql", "kind", "revision", "tables", "lock", "rewrite", "scan", "findings",
    }  # fmt: skip
    assert (statement["index"], statement["line"], statement["sql"]) == (1, 4, "DROP TABLE users")
    assert set(statement["findings"][0]) == {"rule", "severity", "message", "why", "safe_way", "table", "evidence"}


@pytest.mark.parametrize(
    ("sql", "level"),
    [
        ("SELECT 1", "low"),
        ("CREATE INDEX i ON users (id)", "medium"),
        ("ALTER TABLE users ALTER email TYPE varchar(3)", "high"),
        ("SELECT unknown_function()", "high"),
        ("DROP TABLE users", "critical"),
    ],
)
def test_the_level_says_how_bad_it_is(sql: str, level: str) -> None:
    assert analyse(sql).level == level


@pytest.mark.parametrize("sql", ["SELEC 1", "DROP TABLE a; DROP TABLE", "SELECT 1\0; DROP TABLE u", "SELECT '\udc80'"])
def test_what_cannot_be_read_is_refused_and_never_called_safe(sql: str) -> None:
    with pytest.raises(Invalid):
        analyse(sql)


def test_a_syntax_error_is_told_with_its_line_in_bytes_or_not() -> None:
    with pytest.raises(Invalid, match="Line 3:") as refusal:
        analyse("-- é\nSELECT 1;\nSELEC 2")
    assert refusal.value.code == "sql_syntax"


@pytest.mark.parametrize("levels", [60, 3_000, 9_900])
def test_deep_nesting_is_read_or_opaque_and_never_called_safe(levels: int) -> None:
    verdict = analyse(f"SELECT {'+'.join('1' * levels)}; DROP TABLE users")
    assert "drop-table" in verdict.hazards
    assert verdict.opaque == () if levels < 100 else "nested too deeply" in verdict.opaque[0]


@pytest.mark.parametrize("chain", ["1+", "'a,'||", "/* ; */ 1 - ", "f(1, 2) +", "x IS NULL OR NOT"])
def test_nesting_that_would_kill_the_parser_is_refused_before_it_is_parsed(chain: str) -> None:
    with pytest.raises(TooLarge, match="Split it"):
        analyse(f"SELECT {chain * 50_000} 1")


def test_long_lists_are_not_taken_for_deep_nesting() -> None:
    rows = ",".join(["(-1.5, 'a;b', '{}'::jsonb)"] * 12_000)
    assert analyse(f"INSERT INTO t VALUES {rows}; DROP TABLE t").hazards == ["drop-table"]


def test_nothing_is_nothing() -> None:
    assert analyse([]).to_json()["level"] == "low"
    assert analyse("-- only a comment").statements == ()


def test_python_that_could_not_be_rendered_is_dangerous_by_itself() -> None:
    verdict = analyse([], opaque="the revision asks the database")
    assert verdict.dangerous
    assert verdict.to_json()["opaque"] == ["the revision asks the database"]
    assert verdict.hazards == ["opaque-code"]


def test_concurrently_fails_inside_a_transaction_and_only_there() -> None:
    sql = "CREATE INDEX CONCURRENTLY i ON users (id)"
    assert analyse(sql).to_json()["fails"]["sqlstate"] == "25001"
    assert analyse(f"COMMIT; {sql}; BEGIN").fails is None
    assert analyse(sql, transactional=False).fails is None
    assert analyse(f"BEGIN; {sql}", transactional=False).fails is not None


def test_verdicts_are_joined_and_counted_on() -> None:
    joined = combine([analyse("SELECT 1", revision="a"), analyse("DROP TABLE t", revision="b")])
    assert [(statement.index, statement.revision) for statement in joined.statements] == [(0, "a"), (1, "b")]
    assert joined.to_json()["lock"] == "ACCESS EXCLUSIVE"


def test_locks_on_what_the_input_made_do_not_count() -> None:
    verdict = analyse("CREATE TABLE t (id int); ALTER TABLE t ADD COLUMN n int; CREATE INDEX ON t (n)").to_json()
    assert verdict["lock"] is None
    assert verdict["hazards"] == []


def test_the_ruleset_has_a_version() -> None:
    assert len(RULESET_VERSION) == 16
