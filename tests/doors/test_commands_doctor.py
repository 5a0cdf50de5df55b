"""The doctor, the audit, accounts, and what all commands have in common: codes, streams, no secret, no traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import connection

from migrations_app.errors import Conflict, Forbidden, Invalid, NotFound, TargetUnreachable, TidegateError
from migrations_app.management import checkup, exits, render
from migrations_app.models import Environment, Project, User
from tests.doors import rows
from tests.doors.command_line import PASSWORD, run

ROOT = Path(__file__).parents[2]


@pytest.fixture
def findings(db: None, monkeypatch: pytest.MonkeyPatch) -> dict[str, checkup.Finding]:
    monkeypatch.setattr(checkup, "WORKERS_PATIENCE_S", 0.2)
    return {finding.name: finding for finding in checkup.examine()}


def test_the_doctor_finds_what_is_ready_and_stops_because_no_worker_answers(
    findings: dict[str, checkup.Finding],
) -> None:
    stops = {name for name, finding in findings.items() if finding.state == "stop"}
    assert stops == {"workers"}
    assert {"database", "schema", "keys", "broker", "clock", "state"} <= {
        n for n, f in findings.items() if f.state == "ok"
    }
    assert "celery -A controlplane worker" in findings["workers"].says


def test_the_doctor_exits_with_1_and_tells_no_secret(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkup, "WORKERS_PATIENCE_S", 0.2)
    monkeypatch.setenv("TIDEGATE_BROKER_URI", "redis://:hunter2@broker/0")
    ran = run("doctor")
    assert ran.code == 1
    assert "nobody reads TIDEGATE_BROKER_URI" in ran.out
    assert "hunter2" not in ran.out
    assert os.environ["TIDEGATE_KEYS"] not in ran.out


def test_the_doctor_misses_an_approver_and_https(db: None, settings: Any) -> None:
    settings.TIDEGATE_BASE_URL = "http://tidegate.example"
    found = {finding.name: finding for finding in checkup.examine()}
    assert (found["people"].state, found["defences"].state) == ("warn", "warn")
    assert "approver" in found["people"].says


def test_a_broken_key_is_a_stop(db: None, settings: Any) -> None:
    settings.TIDEGATE_KEYS = "k1:short"
    found = {finding.name: finding for finding in checkup.examine()}
    assert found["keys"].state == "stop"


def test_the_doctor_says_how_the_scratch_server_compares(
    db: None, settings: Any, shop: Project, production: Environment, primary_server_url: str
) -> None:
    assert checkup._scratch().state == "ok"
    with psycopg.connect(primary_server_url) as conn:
        own = conn.execute("SELECT system_identifier::text FROM pg_control_system()").fetchone()
    assert own is not None
    rows.target("shop-1", shop, production, server_version=150004, system_identifier=own[0], database_oid=1)
    found = checkup._scratch()
    assert found.state == "warn"
    assert "targets run 15: locks may differ" in found.says
    assert "it is the server of shop-1" in found.says


def test_a_policy_that_wants_rehearsals_needs_a_scratch_server(
    db: None, settings: Any, production: Environment
) -> None:
    settings.TIDEGATE_SCRATCH_URL = ""
    assert checkup._scratch().state == "warn"
    Environment.objects.update(policy={**production.policy, "require_rehearsal": True})
    found = checkup._scratch()
    assert (found.state, "Rollouts in production need them" in found.says) == ("stop", True)
    settings.TIDEGATE_SCRATCH_URL = "postgresql://nobody:hunter2@127.0.0.1:1/none"
    found = checkup._scratch()
    assert (found.state, "hunter2" in found.says) == ("stop", False)


def test_the_audit_is_verified_and_a_forged_entry_is_named(db: None, alice: User, bob: User) -> None:
    assert run("audit", "verify", "--json").data["ok"] is True
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE migrations_app_auditevent DISABLE TRIGGER USER")
        cursor.execute("UPDATE migrations_app_auditevent SET actor = 'mallory' WHERE seq = 2")
        cursor.execute("ALTER TABLE migrations_app_auditevent ENABLE TRIGGER USER")
    ran = run("audit", "verify", "--json")
    assert (ran.code, ran.data["ok"], ran.data["first_bad"]) == (3, False, 2)


def test_an_account_is_made_with_the_password_of_stdin(db: None) -> None:
    ran = run("user", "ensure", "bob", "--role=approver", stdin=f"{PASSWORD}\n")
    assert (ran.code, ran.out) == (0, "bob has the roles approver\n")
    assert User.objects.get(username="bob").check_password(PASSWORD)
    assert run("user", "list", "--json").data[0]["roles"] == ["approver"]


def test_an_account_without_a_password_is_refused(db: None) -> None:
    assert (run("user", "ensure", "bob").code, User.objects.count()) == (4, 0)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Invalid("no"), 4),
        (NotFound("no"), 4),
        (Forbidden("no"), 5),
        (Conflict("no", code="stale"), 6),
        (TargetUnreachable("no"), 1),
        (TidegateError("no"), 1),
    ],
)
def test_each_refusal_has_its_exit_code(error: TidegateError, code: int) -> None:
    assert exits.of_error(error) == code


def test_what_a_database_says_cannot_steer_the_terminal() -> None:
    assert render.cell("drop \x1b[2Jtable\n\nnow") == "drop \\x1b[2Jtable now"


def shell(*words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *words],
        check=False,
        cwd=ROOT,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
    )


def test_wrong_usage_exits_with_4_and_shows_no_password() -> None:
    ran = shell("target", "probe", "shop", "postgresql://app:hunter2@db/shop")
    assert (ran.returncode, ran.stdout) == (4, "")
    assert "unrecognized arguments" in ran.stderr
    assert "hunter2" not in ran.stderr


def test_a_control_database_that_is_away_is_a_sentence_and_exit_8() -> None:
    ran = shell("target", "list", TIDEGATE_DATABASE_URL="postgresql://tidegate@127.0.0.1:1/tidegate")
    assert (ran.returncode, ran.stdout) == (8, "")
    assert "manage.py doctor" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_the_doctor_works_without_its_database() -> None:
    ran = shell("doctor", TIDEGATE_DATABASE_URL="postgresql://tidegate@127.0.0.1:1/tidegate")
    assert ran.returncode == 1
    assert "check TIDEGATE_DATABASE_URL" in ran.stdout
