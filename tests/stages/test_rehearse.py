"""Rehearsals: asked once, done under a lease on the scratch server, used by plans for as long as they hold."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.utils import timezone

from migrations_app.api.serializers.projects import findings_of
from migrations_app.errors import Forbidden, Invalid, Unprocessable
from migrations_app.models import AuditEvent, Rehearsal, Step, Target
from migrations_app.stages import access, discover, examine, inventory, plan, rehearse, rollout
from tests.engines.rehearsals import written
from tests.stages.conftest import SYSTEM

USERS = "op.create_table('users', sa.Column('id', sa.Integer), sa.Column('mail', sa.Text))"
LOOK = """
for name in sorted(sa.inspect(op.get_bind()).get_table_names()):
    if name == "users":
        op.execute("ALTER TABLE users ADD COLUMN seen boolean")
"""
LOOK_BACK = "op.drop_column('users', 'seen')"
FORGETS = "op.create_index('users_by_mail', 'users', ['mail'])"
REFUSED = "op.execute('ALTER TABLE customers ADD COLUMN x int')"


class House:
    """A project written in the test, and its targets."""

    def __init__(self, scene, tmp_path: Path, revisions) -> None:
        self.scene = scene
        written(tmp_path, {"first": (USERS, "op.drop_table('users')"), **revisions})
        scene.project = discover.create_project(
            actor=scene.actor(scene.root),
            slug="house",
            name="House",
            source={"kind": "path", "path": str(tmp_path / "source")},
            python=scene.project.launch["python"],
        )

    def target(self, url: str, ask, slug: str = "house-1") -> Target:
        """One that stands at the first revision."""
        ask(url, "CREATE TABLE users (id int, mail text); CREATE TABLE alembic_version (version_num varchar(32))")
        ask(url, "INSERT INTO alembic_version VALUES ('first'); INSERT INTO users VALUES (1, 'a@b.c')")
        return self.scene.target(url, slug)

    def ask(self, target: Target, to: str = "head") -> Rehearsal:
        return rehearse.ask(actor=self.scene.actor(self.scene.alice), target=target, to=to)

    def done(self, target: Target, to: str = "head") -> Rehearsal:
        row = self.ask(target, to)
        rehearse.work(rehearsal_id=row.pk, owner="test")
        row.refresh_from_db()
        return row


def findings(row):
    return [f for step in Step.objects.filter(plan__rollout=row) for f in findings_of(step.analysis)]


def strict(scene) -> None:
    """The environment's policy asks for rehearsals."""
    scene.environment = inventory.update_environment(
        actor=scene.actor(scene.root), environment=scene.environment, policy={"require_rehearsal": True}
    )


def finish(row) -> None:
    """What the workers do for a plan that waits for its rehearsals."""
    for rehearsal_id in rehearse.sweep():
        rehearse.work(rehearsal_id=rehearsal_id, owner="test")
    assert plan.sweep() == [row.pk]
    plan.complete(rollout_id=row.pk)
    row.refresh_from_db()


@pytest.fixture
def house(scene, tmp_path):
    return lambda **revisions: House(scene, tmp_path, revisions)


def test_opaque_code_that_a_rehearsal_resolves_is_shown_and_no_longer_dangerous(house, database_url, ask, scene):
    home = house(look=(LOOK, LOOK_BACK))
    target = home.target(database_url, ask)
    before = scene.propose(target)
    assert (before.dangerous, before.status) == (True, "awaiting_approval")
    done = home.done(target)
    assert (done.status, done.reason) == ("done", "1 revision went up, down and up again: no difference")
    row = scene.propose(target)
    step = Step.objects.get(plan__rollout=row)
    assert (row.status, step.analysis["rehearsed"], step.opaque, step.recorded) == ("approved", True, "", True)
    assert step.statements[-1] == "ALTER TABLE users ADD COLUMN seen boolean"
    assert [item["dangerous"] for item in examine.pending(actor=SYSTEM, target=target)] == [False]
    assert row.digest_inputs["rehearsals"] == [["house-1", done.pk, done.digest]]
    Rehearsal.objects.update(server_version=120000)  # code may ask for the version, so that one proves nothing here
    elsewhere = scene.propose(target)
    assert (elsewhere.dangerous, Step.objects.get(plan__rollout=elsewhere).recorded) == (True, False)


def test_a_downgrade_that_forgets_something_is_found_in_the_plan(house, database_url, ask, scene):
    home = house(forgets=(FORGETS, "pass"))
    target = home.target(database_url, ask)
    assert "the way back does not restore the schema of: forgets" in home.done(target).reason
    row = scene.propose(target)
    (found,) = [
        f for f in findings(row) if f["rule"] == "downgrade-mismatch" and "After its downgrade the" in f["message"]
    ]
    assert "index public.users.users_by_mail is new" in found["message"]


def test_what_holds_serves_a_part_of_it_and_twins_until_the_schema_changes(house, database_url, second_url, ask, scene):
    home = house(look=(LOOK, LOOK_BACK), more=("op.add_column('users', sa.Column('more', sa.Text))", "pass"))
    target = home.target(database_url, ask)
    first = home.done(target)
    assert home.ask(home.target(second_url, ask, slug="house-2")).pk == home.ask(target).pk == first.pk
    assert scene.propose(target, to="+1").plans.get().rehearsal == first
    ask(database_url, "ALTER TABLE users ADD COLUMN phone text")
    row = scene.propose(target, to="+1")
    assert (row.plans.get().rehearsal, row.dangerous) == (None, True)
    second = home.ask(target)
    ask(database_url, "ALTER TABLE users ADD COLUMN fax text")
    rehearse.work(rehearsal_id=second.pk, owner="test")
    second.refresh_from_db()
    assert second.reason == "The schema of house-1 was changed since this was asked: ask again."


def test_a_revision_that_does_not_go_through_is_a_hazard_or_where_rehearsals_are_asked_for_the_end(
    house, database_url, ask, scene
):
    home = house(refused=(REFUSED, "pass"))
    target = home.target(database_url, ask)
    first = home.done(target)
    assert first.reason.startswith("revision refused fails: ")
    row = scene.propose(target)
    assert [f["rule"] for f in findings(row) if f["severity"] == "hazard"] == ["schema-drift"]
    strict(scene)
    row = scene.propose(Target.objects.get())  # under the policy as it is now
    assert Rehearsal.objects.get(pk=first.pk).is_superseded  # what was in its way may have been mended
    finish(row)
    assert row.status == "failed"
    assert row.reason.startswith("revision refused fails on a copy of house-1's schema: ")
    assert set(Step.objects.filter(plan__rollout=row).values_list("status", flat=True)) == {"cancelled"}


def test_a_policy_that_wants_a_rehearsal_lets_the_plan_wait_for_it(house, database_url, second_url, ask, scene):
    strict(scene)
    home = house(look=(LOOK, LOOK_BACK))
    row = scene.propose(home.target(database_url, ask))
    assert (row.status, row.reason) == ("planning", "is being rehearsed on a copy of house-1's schema")
    assert (row.digest, plan.sweep()) == ("", [])
    finish(row)
    assert (row.status, row.dangerous) == ("approved", False)
    assert Step.objects.get(plan__rollout=row).recorded
    assert scene.drive(scene.started(row)).status == "succeeded"
    assert ask(database_url, "SELECT seen FROM users") == [None]
    assert scene.propose(home.target(second_url, ask, slug="house-2")).status == "approved"


def test_a_plan_that_is_cancelled_while_it_is_rehearsed_stays_cancelled(house, database_url, ask, scene):
    strict(scene)
    row = scene.propose(house(look=(LOOK, LOOK_BACK)).target(database_url, ask))
    rollout.cancel(actor=scene.actor(scene.alice), rollout=row)
    plan.complete(rollout_id=row.pk)
    row.refresh_from_db()
    assert (row.status, plan.sweep()) == ("cancelled", [])


def test_a_downgrade_that_cannot_be_rehearsed_needs_a_person(scene, shop_at):
    strict(scene)
    row = scene.propose(scene.target(shop_at("0013")), to="-1")
    assert (row.status, row.approvals_required) == ("awaiting_approval", 1)
    assert "a downgrade, which cannot be rehearsed" in row.reason


def test_a_lost_worker_is_taken_over_and_cannot_end_it_later(house, database_url, ask):
    home = house(look=(LOOK, LOOK_BACK))
    row = home.ask(home.target(database_url, ask))
    lost = Rehearsal.objects.due().claim(row.pk, owner="lost", lease_s=30)
    late = rehearse._Work(Rehearsal.objects.get(pk=row.pk), "lost", lost)
    late._begin()
    assert rehearse.sweep() == []
    Rehearsal.objects.filter(pk=row.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    assert rehearse.sweep() == [row.pk]
    rehearse.work(rehearsal_id=row.pk, owner="next")
    late._end("failed", "late")
    row.refresh_from_db()
    assert (row.status, row.attempts, row.lease_owner) == ("done", 2, "")
    assert AuditEvent.objects.filter(object_id=row.pk, action="rehearsal.taken_over").exists()


def test_one_whose_workers_are_lost_again_and_again_ends(house, database_url, ask):
    home = house(look=(LOOK, "pass"))
    row = home.ask(home.target(database_url, ask))
    rehearse._Work(row, "lost", 0)._begin()
    Rehearsal.objects.filter(pk=row.pk).update(attempts=3)
    rehearse.work(rehearsal_id=row.pk, owner="test")
    row.refresh_from_db()
    assert (row.status, "each time its worker was lost" in row.reason) == ("failed", True)


def test_a_scratch_server_that_is_away_is_tried_again(house, database_url, ask, settings):
    home = house(look=(LOOK, "pass"))
    settings.TIDEGATE_SCRATCH_URL = "postgresql://nobody@127.0.0.1:1/none"
    row = home.done(home.target(database_url, ask))
    assert (row.status, rehearse.sweep()) == ("waiting", [])
    assert "Tried again in 10 s (1 of 3)" in row.reason


def test_the_server_of_our_own_database_is_no_place_to_try_things(house, database_url, ask, settings):
    home = house(look=(LOOK, "pass"))
    own = connection.settings_dict
    settings.TIDEGATE_SCRATCH_URL = (
        f"postgresql://{own['USER']}:{own['PASSWORD']}@{own['HOST']}:{own['PORT']}/{own['NAME']}"
    )
    row = home.done(home.target(database_url, ask))
    assert (row.status, "give them a server of their own" in row.reason) == ("failed", True)


@pytest.mark.parametrize(("to", "error"), [("-1", Invalid), ("first", Unprocessable)])
def test_what_cannot_be_rehearsed_is_refused(house, database_url, ask, to, error):
    home = house(look=(LOOK, "pass"))
    with pytest.raises(error):
        home.ask(home.target(database_url, ask), to)


def test_a_viewer_may_not_ask(house, database_url, ask, scene):
    home = house(look=(LOOK, "pass"))
    target = home.target(database_url, ask)
    carol = access.ensure_user(actor=SYSTEM, username="carol", password=None, roles=["viewer"])
    with pytest.raises(Forbidden):
        rehearse.ask(actor=scene.actor(carol), target=target)


def test_without_a_scratch_server_asking_says_what_to_set(house, database_url, ask, settings, scene):
    home = house(look=(LOOK, "pass"))
    target = home.target(database_url, ask)
    settings.TIDEGATE_SCRATCH_URL = ""
    with pytest.raises(Unprocessable, match="Set TIDEGATE_SCRATCH_URL"):
        home.ask(target)
    strict(scene)
    with pytest.raises(Unprocessable, match="Set TIDEGATE_SCRATCH_URL"):
        scene.propose(target)
    assert not Rehearsal.objects.exists()
