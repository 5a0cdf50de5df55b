"""From what is pending to what has run, on the command line, with the demo's shop on a real target."""

from __future__ import annotations

import subprocess
import sys

import psycopg
import pytest

from migrations_app.management import waiting
from migrations_app.models import Actor, AuditEvent, Bundle, Project, Revision, Rollout, User
from migrations_app.stages import access, discover, execute, rollout
from tests.doors import rows
from tests.doors.command_line import PASSWORD, SHOP, add_target, run

pytestmark = pytest.mark.django_db
SYSTEM = Actor.system("test")
HARMLESS = "0002"


@pytest.fixture(scope="module")
def known() -> list[Project | Bundle | Revision]:
    """The shop's rows once they were read: its history takes seconds, and is the same for every test here."""
    return []


@pytest.fixture
def shop(db: None, known: list[Project | Bundle | Revision]) -> Project:
    if known:
        project, bundle, *revisions = known
        project.bundle = None
        for row in (project, bundle, *revisions):
            row._state.adding = True
            row.save(force_insert=True)
        project.bundle = bundle
        project.save()
        return project
    url = {"env": ["SHOP_DATABASE_URL"], "ini": False, "driver": "psycopg"}
    source = {"kind": "path", "path": str(SHOP)}
    project = discover.create_project(
        actor=SYSTEM, slug="shop", name="shop", source=source, python=[sys.executable], url=url
    )
    known += [project, project.bundle, *project.bundle.revisions.all()]
    return project


@pytest.fixture
def target(shop: Project, alice: User, database_url: str) -> str:
    rows.environment("production")
    assert add_target(database_url).code == 0
    return database_url


@pytest.fixture
def grown(target: str) -> str:
    """The target once it has a customer and an order, of which the next revisions destroy something."""
    alembic = [sys.executable, "-m", "alembic", "-c", str(SHOP / "alembic.ini"), "upgrade", "0010"]
    subprocess.run(alembic, env={"SHOP_DATABASE_URL": target}, check=True, capture_output=True)
    with psycopg.connect(target) as conn:
        conn.execute("INSERT INTO customers (email, name, legacy_ref) VALUES ('a@b.c', 'ann', 'x1')")
        conn.execute("INSERT INTO orders (customer_id, status, total, total_cents) VALUES (1, 'paid', 1, 100)")
    return target


@pytest.fixture
def bob(db: None) -> User:
    return access.ensure_user(actor=SYSTEM, username="bob", password=PASSWORD, roles=["approver"])


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody who does what is due whenever a command waits."""

    def work(_: float) -> None:
        for rollout_id in rollout.sweep():
            for plan_id in rollout.progress(rollout_id=rollout_id).due:
                execute.run(plan_id=plan_id, owner="test")

    monkeypatch.setattr(waiting, "sleep", work)


def propose(command: str, to: str, *words: str) -> list[str]:
    return [command, "shop", "--target=shop-production", f"--to={to}", "--reason=because", "--as=alice", *words]


def test_pending_revisions_are_told_in_order_with_their_risks(grown: str) -> None:
    ran = run("pending", "shop-production", "--detailed-exitcode", "--json")
    found = {row["revision"]: row["dangerous"] for row in ran.data}
    assert (ran.code, found) == (2, {"0011": True, "0012": True, "0013": False})
    assert "drop-column" in run("pending", "shop-production").out


def test_a_plan_is_kept_and_shows_its_sql(target: str) -> None:
    ran = run(*propose("plan", HARMLESS))
    assert ran.code == 0
    assert "CREATE TABLE orders" in ran.out
    assert Rollout.objects.get().digest in ran.out


def test_a_deploy_runs_what_is_harmless_and_a_second_one_has_nothing_to_do(target: str, workers: None) -> None:
    ran = run(*propose("deploy", HARMLESS, "--json"))
    assert (ran.code, ran.data["status"]) == (0, "succeeded"), ran.err
    with psycopg.connect(target) as conn:
        assert conn.execute("SELECT version_num FROM alembic_version").fetchone() == (HARMLESS,)
    again = run(*propose("deploy", HARMLESS, "--json"))
    assert (again.code, again.data["status"]) == (0, "nothing_to_do")


def test_a_deploy_that_fails_on_the_target_exits_with_1(target: str, workers: None) -> None:
    with psycopg.connect(target) as conn:
        conn.execute("CREATE TABLE orders (id int)")
    ran = run(*propose("deploy", HARMLESS))
    assert ran.code == 1
    assert "already exists" in ran.out


def test_nobody_at_work_is_a_time_out_that_says_how_to_go_on(target: str) -> None:
    ran = run(*propose("deploy", HARMLESS, "--wait=0.1"))
    row = Rollout.objects.get()
    assert (ran.code, row.status) == (7, "running")
    assert f"manage.py rollout status {row.pk} --wait" in ran.err


def test_a_dangerous_deploy_starts_nothing_until_somebody_else_approves_it(grown: str, bob: User) -> None:
    ran = run(*propose("deploy", "head", "--json"))
    row = Rollout.objects.get()
    assert (ran.code, row.status, ran.data["status"]) == (2, "awaiting_approval", "awaiting_approval")
    decided = run("approve", row.pk, "--digest", row.digest, "--as=bob", "--comment=seen", stdin=f"{PASSWORD}\n")
    assert (decided.code, Rollout.objects.get().status) == (0, "approved")
    assert run("rollout", "start", row.pk, "--as=alice", "--json").data["status"] == "running"


@pytest.fixture
def waiting_one(db: None, alice: User) -> Rollout:
    """A dangerous rollout by alice that waits for its decision."""
    place = rows.target("shop-production", rows.project("crm"), rows.environment("production"))
    return rows.rollout(alice, place)


@pytest.mark.parametrize(
    ("person", "stdin", "digest", "code", "says"),
    [
        ("bob", "guess\n", "sha256:plan", 5, "This is not the password of bob"),
        ("bob", "", "sha256:plan", 5, "This is not the password of bob"),
        ("bob", f"{PASSWORD}\n", "sha256:old", 6, "has changed since"),
        ("pipeline", "", "sha256:plan", 5, "a person has to decide"),
    ],
)
def test_an_approval_is_refused(
    waiting_one: Rollout, bob: User, person: str, stdin: str, digest: str, code: int, says: str
) -> None:
    access.ensure_user(actor=SYSTEM, username="pipeline", password=None, roles=["approver"], is_machine=True)
    ran = run("approve", waiting_one.pk, "--digest", digest, f"--as={person}", stdin=stdin)
    assert (ran.code, ran.out, Rollout.objects.get().status) == (code, "", "awaiting_approval")
    assert says in ran.err


def test_an_author_cannot_approve_their_own_and_that_is_kept(waiting_one: Rollout, alice: User) -> None:
    access.ensure_user(actor=SYSTEM, username="alice", password=PASSWORD, roles=["author", "approver"])
    ran = run("approve", waiting_one.pk, "--digest=sha256:plan", "--as=alice", stdin=PASSWORD)
    assert (ran.code, Rollout.objects.get().status) == (5, "awaiting_approval")
    assert AuditEvent.objects.get(outcome="denied").payload["code"] == "self_approval"


def test_a_rejection_ends_it_and_its_status_exits_with_3(waiting_one: Rollout, bob: User) -> None:
    ran = run("reject", waiting_one.pk, "--digest=sha256:plan", "--comment=not now", "--as=bob", stdin=PASSWORD)
    assert (ran.code, Rollout.objects.get().status) == (0, "rejected")
    assert run("rollout", "status", waiting_one.pk).code == 3


def test_a_move_that_is_not_possible_is_a_conflict(waiting_one: Rollout) -> None:
    ran = run("rollout", "start", waiting_one.pk, "--as=alice")
    assert (ran.code, ran.out) == (6, "")
    assert "awaiting_approval cannot be started" in ran.err


def test_a_rollout_is_listed_shown_and_cancelled(waiting_one: Rollout) -> None:
    assert [row["id"] for row in run("rollout", "list", "--status=awaiting_approval", "--json").data] == [
        waiting_one.pk
    ]
    assert "DROP TABLE old" in run("rollout", "plan", waiting_one.pk).out
    ran = run("rollout", "cancel", waiting_one.pk, "--as=alice", "--json")
    assert (ran.code, ran.data["status"], ran.data["steps"][0]["status"]) == (0, "cancelled", "cancelled")


def test_a_proposal_without_a_place_is_refused(shop: Project, alice: User) -> None:
    ran = run("plan", "shop", "--reason=because", "--as=alice")
    assert (ran.code, Rollout.objects.count()) == (4, 0)
    assert "--target" in ran.err
