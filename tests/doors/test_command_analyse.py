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
