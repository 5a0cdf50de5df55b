"""`manage.py analyse`: its answers, its exit codes, and that what cannot be judged is never called safe."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from migrations_app.management.commands.analyse import Command

SHOP = Path(__file__).parents[2] / "demo" / "shop"


def run(*arguments: str) -> tuple[int, dict[str, Any]]:
    """The exit code and the JSON of `analyse ... --json`."""
    out, code = io.StringIO(), 0
    try:
        call_command("analyse", *arguments, "--json", stdout=out)
    except SystemExit as end:
        code = int(end.code or 0)
    return code, json.loads(out.getvalue())


@pytest.fixture
def sql_file(tmp_path: Path) -> Path:
    return tmp_path / "change.sql"


@pytest.mark.parametrize(
    ("sql", "arguments", "code"),
    [
        ("DROP TABLE users", [], 1),
        ("CREATE INDEX i ON users (id)", [], 0),
        ("CREATE INDEX i ON users (id)", ["--fail-on", "medium"], 1),
        ("CREATE INDEX CONCURRENTLY i ON users (id)", ["--fail-on", "medium"], 0),
        ("SELECT 1", ["--fail-on", "medium"], 0),
    ],
)
def test_the_exit_code_is_the_verdict(sql_file: Path, sql: str, arguments: list[str], code: int) -> None:
    sql_file.write_text(sql)
    assert run(str(sql_file), *arguments)[0] == code


def test_sql_may_come_on_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO("\ufeffDROP TABLE users".encode())))
    code, found = run("-")
    assert (code, found["hazards"]) == (1, ["drop-table"])


@pytest.mark.parametrize(
    "content", [b"", b"-- nothing\n", b"SELEC 1", b"SELECT 1;\0 DROP TABLE users", b"SELECT '\xff'"]
)
def test_what_cannot_be_judged_is_a_usage_error(sql_file: Path, content: bytes) -> None:
    sql_file.write_bytes(content)
    with pytest.raises(CommandError) as refusal:
        run(str(sql_file))
    assert refusal.value.returncode == 4


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"\x89PNG\r\n\x1a\n\x00\x00", "Line 1 of"),
        (b"SELECT 1;\nSELECT '\xe4';", "Line 2 of"),
        ("SELECT 1;\n".encode("utf-16"), "not UTF-8"),
        (b"<html><body>SELECT 1</body></html>", "Line 1: syntax error"),
        (b"SELECT 1;\n\nDROP TABEL users;", "Line 3: syntax error"),
        (b"SELECT 'never closed", "Line 1: unterminated"),
        (b"SELECT 1;\nSELECT '\0';", "Line 2: the SQL holds a NUL byte"),
        (b"   \n -- only words\n", "no statement in it"),
        (b"SELECT " + b"1+" * 20_000 + b"1", "operators"),
    ],
)
def test_bad_input_is_refused_with_the_line_and_what_is_wrong(sql_file: Path, content: bytes, says: str) -> None:
    sql_file.write_bytes(content)
    with pytest.raises(CommandError, match=says):
        run(str(sql_file))


def test_a_line_of_five_megabytes_is_judged_to_its_end(sql_file: Path) -> None:
    values = ", ".join(f"({number}, 'some words of a row')" for number in range(160_000))
    sql_file.write_text(f"INSERT INTO log VALUES {values}; DROP TABLE users")
    assert sql_file.stat().st_size > 5_000_000
    assert run(str(sql_file))[1]["hazards"] == ["drop-table"]


def test_a_revision_file_is_refused_with_the_way_to_judge_it(tmp_path: Path) -> None:
    (tmp_path / "abc.py").write_text("def upgrade(): ...")
    with pytest.raises(CommandError, match="Name the folder that holds"):
        run(str(tmp_path / "abc.py"))


@pytest.mark.parametrize("name", ["text", "json", "sarif", "github", "junit"])
def test_every_format_is_written_and_the_exit_code_stays_the_verdict(sql_file: Path, name: str) -> None:
    sql_file.write_text("DROP TABLE users")
    out = io.StringIO()
    with pytest.raises(SystemExit) as end:
        call_command("analyse", str(sql_file), "--format", name, stdout=out)
    assert (end.value.code, "drop-table" in out.getvalue()) == (1, True)


def test_a_missing_file_and_a_folder_without_a_project_are_usage_errors(tmp_path: Path) -> None:
    for path in (tmp_path / "no.sql", tmp_path):
        with pytest.raises(CommandError) as refusal:
            run(str(path))
        assert refusal.value.returncode == 4


def test_a_wrong_option_exits_4_as_well(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        Command().run_from_argv(["manage.py", "analyse", "--bogus"])
    assert end.value.code == 4
    assert "usage:" in capsys.readouterr().err


def test_for_people_it_says_what_why_and_how(sql_file: Path) -> None:
    sql_file.write_text("DROP TABLE users")
    out = io.StringIO()
    with pytest.raises(SystemExit):
        call_command("analyse", str(sql_file), stdout=out)
    assert "DANGER drop-table (line 1)" in out.getvalue()
    assert "Safe way: " in out.getvalue()


def test_a_database_makes_it_exact_and_runs_nothing(sql_file: Path, database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as conn:
        conn.execute("CREATE TABLE empty (id int); CREATE TABLE full_one (id int); INSERT INTO full_one VALUES (1)")
        sql_file.write_text("DROP TABLE empty")
        assert run(str(sql_file), "--database-url", database_url)[0] == 0
        sql_file.write_text("DROP TABLE full_one")
        code, found = run(str(sql_file), "--database-url", database_url)
        assert (code, found["facts"]) == (1, "catalog")
        assert found["statements"][0]["findings"][0]["evidence"]["has_rows"] is True
        assert conn.execute("SELECT count(*) FROM full_one").fetchone() == (1,)


def test_an_unreachable_database_is_told_without_its_password(sql_file: Path) -> None:
    sql_file.write_text("DROP TABLE t")
    with pytest.raises(CommandError) as refusal:
        run(str(sql_file), "--database-url", "postgresql://u:sesame@127.0.0.1:1/nowhere")
    assert refusal.value.returncode == 4
    assert "sesame" not in str(refusal.value)


def test_the_revisions_of_a_project_are_judged_one_by_one() -> None:
    code, found = run(str(SHOP), "--range", "0010:0012")
    assert code == 1
    assert [(each["revision"], each["kind"]) for each in found["statements"]] == [
        ("0011", "ALTER TABLE"),
        ("0012", "ALTER TABLE"),
    ]
    assert found["hazards"] == ["drop-column"]


def test_a_range_that_the_history_does_not_know_is_refused() -> None:
    with pytest.raises(CommandError, match="99 is no revision"):
        run(str(SHOP), "--range", "99:heads")
