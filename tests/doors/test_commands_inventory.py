"""Environments, projects and targets on the command line."""

from __future__ import annotations

import sys
import tarfile
from pathlib import Path

import pytest

from migrations_app.models import AuditEvent, Environment, Project, Target, User
from tests.doors import rows
from tests.doors.command_line import SHOP, add_shop, add_target, run

pytestmark = pytest.mark.django_db


def test_an_environment_is_added_with_its_policy_and_listed() -> None:
    assert run("environment", "add", "production", "--order=20", '--policy={"approvals": 2}').code == 0
    (listed,) = run("environment", "list", "--json").data
    assert (listed["name"], listed["order"], listed["policy"]["approvals"]) == ("production", 20, 2)
    assert AuditEvent.objects.get(action="environment.created").via == "command"


def test_a_wrong_policy_is_refused_by_name() -> None:
    ran = run("environment", "add", "production", '--policy={"approvals": 0, "approver_goups": []}')
    assert (ran.code, ran.out) == (4, "")
    assert "approvals must be a whole number" in ran.err
    assert "approver_goups is not known" in ran.err


def test_a_person_without_the_role_is_refused_and_that_is_kept(carol: User) -> None:
    ran = run("environment", "add", "production", "--as=carol")
    assert (ran.code, Environment.objects.count()) == (5, 0)
    assert "needs one of the roles admin" in ran.err
    assert AuditEvent.objects.get(outcome="denied").actor == "carol"


def test_an_unknown_person_is_refused() -> None:
    ran = run("environment", "add", "production", "--as=nobody")
    assert (ran.code, Environment.objects.count()) == (5, 0)


def test_a_project_is_added_with_its_history_read_again_and_replaced_by_an_archive(tmp_path: Path) -> None:
    added = add_shop()
    assert (added.code, added.data["revisions"], added.data["heads"]) == (0, 13, ["0013"])
    again = run("project", "sync", "shop", "--json")
    assert (again.data["new"], again.data["digest"]) == (False, added.data["bundle"])
    with tarfile.open(tmp_path / "shop.tar.gz", "w:gz") as archive:
        archive.add(SHOP, arcname=".", filter=lambda found: None if "0013" in found.name else found)
    shorter = run("project", "sync", "shop", "--archive", str(tmp_path / "shop.tar.gz"), "--json")
    assert (shorter.data["new"], shorter.data["heads"]) == (True, ["0012"])


def test_a_recipe_out_of_a_file_is_the_body_of_the_api(tmp_path: Path) -> None:
    recipe = tmp_path / "shop.json"
    recipe.write_text('{"source": {"kind": "bundle"}, "python": ["/opt/shop/bin/python"], "version_table": "v"}')
    assert run("project", "add", "shop", "--recipe", str(recipe)).code == 0
    assert Project.objects.get().launch["version_table"] == "v"


def test_a_recipe_with_an_unknown_field_is_refused_by_name() -> None:
    ran = run("project", "add", "shop", "--recipe=-", stdin='{"source": {"kind": "bundle"}, "pyhton": ["python"]}')
    assert (ran.code, ran.err) == (4, "There is no field pyhton.")


def test_a_project_whose_environment_does_not_load_is_not_kept(tmp_path: Path) -> None:
    (tmp_path / "alembic.ini").write_text("[alembic]\nscript_location = nowhere\n")
    ran = run("project", "add", "broken", "--path", str(tmp_path), "--python", sys.executable)
    assert (ran.code, Project.objects.count()) == (4, 0)
    assert "nowhere" in ran.err


@pytest.fixture
def registered(shop: Project, production: Environment) -> None:
    """A project and an environment that a target can belong to."""


def test_a_target_is_added_by_a_url_on_stdin_and_its_password_is_never_shown(
    registered: None, database_url: str, replica_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIDEGATE_TARGET_REPLICA", replica_url)
    ran = add_target(
        database_url, "--replica=r1=env:TIDEGATE_TARGET_REPLICA", "--label=team=shop", "--limit=lock_tries=3"
    )
    assert (ran.code, ran.data["schema_state"], ran.data["labels"]) == (0, "unversioned", {"team": "shop"})
    assert (ran.data["limits"], ran.data["replicas"][0]["state"]) == ({"lock_tries": 3}, "streaming")
    password = database_url.split(":")[2].partition("@")[0]
    assert password not in ran.out + ran.err + run("target", "list", "--json").out


def test_a_target_is_added_by_a_reference(registered: None, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEGATE_TARGET_SHOP", database_url)
    assert add_target("", "--url-ref=env:TIDEGATE_TARGET_SHOP").code == 0
    assert Target.objects.get().url_sealed == "env:TIDEGATE_TARGET_SHOP"


@pytest.mark.parametrize(
    "words", [["--url=postgresql://app:hunter2@db/shop"], ["--replica=r1=postgresql://a:hunter2@b/c"]]
)
def test_a_password_in_an_argument_is_refused(registered: None, database_url: str, words: list[str]) -> None:
    ran = add_target(database_url, *words)
    assert (ran.code, Target.objects.count()) == (4, 0)
    assert "A password in an argument can be read by everybody" in ran.err
    assert "hunter2" not in ran.err


@pytest.mark.parametrize("words", [["--url-ref=postgresql://db/shop"], ["--limit=lock_tries=many"], []])
def test_a_target_that_cannot_be_reached_or_read_is_not_kept(registered: None, words: list[str]) -> None:
    ran = add_target("postgresql://nobody@127.0.0.1:1/nowhere", *words)
    assert ran.code == (4 if words else 1)
    assert Target.objects.count() == 0


def test_a_probe_shows_the_target_and_its_replicas(registered: None, database_url: str, replica_url: str) -> None:
    add_target(database_url, "--replica=missing")
    ran = run("target", "probe", "shop-production")
    assert ran.code == 0
    assert "unversioned" in ran.out
    assert "missing" in ran.out


def test_a_probe_of_what_does_not_answer_fails(
    registered: None, shop: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows.target("lost", shop, Environment.objects.get())
    monkeypatch.setenv("TIDEGATE_TARGET_NONE", "postgresql://nobody@127.0.0.1:1/nowhere")
    assert run("target", "probe", "lost").code == 1


def test_what_is_not_there_is_said_by_name() -> None:
    assert (run("target", "probe", "lost").code, run("target", "probe", "lost").err) == (4, "There is no target lost.")
    assert run("target", "list").out == "There is no such target.\n"
