"""Waivers: another person's word on exactly one finding, with a reason and an end; gone when any of it is."""

import shutil
from datetime import timedelta

import pytest
from django.utils import timezone

from migrations_app.engines import digest
from migrations_app.errors import Conflict, Forbidden, Invalid
from migrations_app.models import Actor, AuditEvent, LogLine, Rollout, Step, Waiver, digest_inputs
from migrations_app.stages import access, discover, examine, inventory, rollout, waive
from tests.stages.conftest import RECIPE, SHOP, SYSTEM


@pytest.fixture
def target(scene, shop_at):
    return scene.target(shop_at("0010"))


@pytest.fixture
def waiting(scene, target):
    """Alice's drop of orders.total, which holds 3,000 values."""
    return scene.propose(target, to="0011")


def another(name, *roles, is_machine=False):
    return access.ensure_user(actor=SYSTEM, username=name, password=None, roles=roles, is_machine=is_machine)


def waived(scene, subject, by=None, **more):
    user = by or scene.bob
    given = {"rule": "drop-column", "reason": "nobody reads it", "expires_at": timezone.now() + timedelta(days=30)}
    return waive.waive(actor=scene.actor(user), user=user, subject=subject, **given | more)


def findings(row):
    steps = Step.objects.filter(plan__rollout=row, kind="revision")
    return [
        f for step in steps for s in step.analysis["statements"] for f in s["findings"] if f["severity"] == "danger"
    ]


def test_what_was_waived_asks_for_nobody_and_stays_visible(scene, target, waiting):
    row = waived(scene, waiting)
    again = scene.propose(target, to="0011")
    assert (again.status, again.dangerous, again.level, again.approvals_required) == ("approved", False, "medium", 0)
    assert "drop-column by bob until" in again.reason
    (found,) = findings(again)
    assert found["waived"]["id"] == row.pk
    assert (found["waived"]["by"], found["waived"]["reason"]) == ("bob", "nobody reads it")
    assert scene.drive(scene.started(again)).status == "succeeded"


def test_a_waiver_changes_nothing_of_a_plan_that_was_made_before(scene, waiting):
    digest = waiting.digest
    waived(scene, waiting)
    waiting.refresh_from_db()
    assert (waiting.status, waiting.digest, waiting.dangerous) == ("awaiting_approval", digest, True)
    assert scene.drive(scene.started(scene.approved(waiting))).status == "succeeded"


def test_only_the_waived_finding_is_left_out(scene, target, waiting):
    waived(scene, waiting)
    both = scene.propose(target, to="0012")
    assert (both.status, both.level) == ("awaiting_approval", "critical")
    assert [found.get("table") for found in findings(both) if "waived" in found] == ["orders"]


def test_the_authors_own_waiver_does_not_count_for_the_author(scene, target, waiting):
    scene.alice.groups.add(scene.bob.groups.get(name="approver"))
    with pytest.raises(Forbidden) as refused:
        waived(scene, waiting, by=scene.alice)
    assert refused.value.code == "self_approval"
    revision = scene.project.bundle.revisions.get(revision="0011")
    waived(scene, revision, by=scene.alice)
    assert scene.propose(target, to="0011").dangerous
    scene.alice = scene.root
    assert not scene.propose(target, to="0011").dangerous


def test_who_may_not_approve_may_not_waive_and_the_attempt_is_kept(scene, waiting):
    robot = another("robot", "approver", "admin", is_machine=True)
    for user, code in ((robot, "machine"), (scene.root, "forbidden")):
        with pytest.raises(Forbidden) as refused:
            waived(scene, waiting, by=user)
        assert refused.value.code == code
        assert AuditEvent.objects.filter(action="waive", outcome="denied", actor=user.username).exists()
    actor = Actor.of(scene.bob, via="api", is_machine=True)
    with pytest.raises(Forbidden, match="machine"):
        waive.revoke(actor=actor, user=scene.bob, waiver=waived(scene, waiting), reason="x")
    assert AuditEvent.objects.filter(action="revoke", outcome="denied").exists()


def test_a_waiver_is_worth_as_much_as_its_authors_approval(scene, target, waiting):
    row = waived(scene, waiting)
    policy = {"approver_groups": ["dba"]}
    inventory.update_environment(actor=scene.actor(scene.root), environment=scene.environment, policy=policy)
    target.environment.refresh_from_db()
    assert scene.propose(target, to="0011").dangerous
    with pytest.raises(Forbidden, match="dba"):
        waived(scene, waiting, environment=target.environment)
    scene.bob.groups.create(name="dba")
    assert scene.propose(target, to="0011").digest_inputs["waivers"][0][0] == row.pk


def test_where_two_have_to_approve_two_have_to_waive(scene, target, waiting):
    inventory.update_environment(actor=scene.actor(scene.root), environment=scene.environment, policy={"approvals": 2})
    target.environment.refresh_from_db()
    waived(scene, waiting)
    assert scene.propose(target, to="0011").dangerous
    waived(scene, waiting, by=another("carla", "approver"), expires_at=timezone.now() + timedelta(days=1))
    (found,) = findings(row := scene.propose(target, to="0011"))
    assert (row.status, found["waived"]["by"], found["waived"]["also"][0]["by"]) == ("approved", "carla", "bob")


def test_a_waiver_for_one_environment_counts_in_no_other(scene, target, waiting):
    staging = inventory.create_environment(actor=scene.actor(scene.root), name="staging", order=5)
    waived(scene, waiting, environment=staging)
    assert scene.propose(target, to="0011").dangerous


def test_another_byte_in_the_file_voids_it(scene, shop_at, tmp_path):
    folder = shutil.copytree(SHOP, tmp_path / "shop")
    source, actor = {"kind": "path", "path": str(folder)}, scene.actor(scene.root)
    scene.project = discover.create_project(actor=actor, slug="own", name="Own", source=source, **RECIPE)
    target = scene.target(shop_at("0010"))
    waived(scene, scene.propose(target, to="0011"))
    assert not scene.propose(target, to="0011").dangerous
    file = folder / "migrations" / "versions" / "0011_drop_the_old_order_totals.py"
    file.write_text(file.read_text() + "\n# a comment\n")
    discover.sync(actor=actor, project=scene.project)
    scene.project.refresh_from_db()
    target.refresh_from_db()
    assert scene.propose(target, to="0011").dangerous


@pytest.mark.parametrize("how", ["revoked", "expired", "left"])
def test_a_waiver_that_no_longer_holds_stops_the_run_before_its_first_statement(scene, target, waiting, how):
    row = waived(scene, waiting)
    running = scene.started(scene.propose(target, to="0011"))
    says = {"revoked": "was revoked by bob: somebody reads it", "expired": "ran out at", "left": "may not approve"}[how]
    if how == "revoked":
        waive.revoke(actor=scene.actor(scene.bob), user=scene.bob, waiver=row, reason="somebody reads it")
    elif how == "expired":
        Waiver.objects.update(expires_at=timezone.now())
    else:
        scene.bob.groups.clear()
    running = scene.drive(running)
    assert running.status == "stale"
    assert row.pk in running.reason
    assert says in running.reason
    assert not LogLine.objects.filter(step__plan__rollout=running, kind="statement").exists()


def test_a_revoked_waiver_makes_another_digest_and_the_next_plan_dangerous(scene, target, waiting):
    row = waived(scene, waiting)
    before = scene.propose(target, to="0011")
    waive.revoke(actor=scene.actor(scene.bob), user=scene.bob, waiver=row, reason="somebody reads it")
    assert digest.of(digest.plain(digest_inputs.of_rollout(before))) != before.digest
    with pytest.raises(Conflict, match=row.pk):
        rollout.start(actor=scene.actor(scene.alice), rollout=before)
    assert Rollout.objects.get(pk=before.pk).status == "stale"
    assert scene.propose(target, to="0011").dangerous


def test_a_waiver_is_revoked_once_with_a_reason(scene, waiting):
    row, actor = waived(scene, waiting), scene.actor(scene.bob)
    with pytest.raises(Invalid) as refused:
        waive.revoke(actor=actor, user=scene.bob, waiver=row, reason=" ")
    assert refused.value.errors[0].pointer == "/reason"
    done = waive.revoke(actor=actor, user=scene.bob, waiver=row, reason="somebody reads it")
    assert (done.state, done.revoked_by, done.revoke_reason) == ("revoked", scene.bob, "somebody reads it")
    with pytest.raises(Conflict, match="revoked already"):
        waive.revoke(actor=actor, user=scene.bob, waiver=row, reason="again")
    actions = AuditEvent.objects.filter(object_type="waiver", object_id=row.pk).values_list("action", flat=True)
    assert list(actions) == ["waiver.created", "waiver.revoked"]


def test_a_waiver_needs_a_reason_and_an_end_within_180_days(scene, waiting):
    for days, wrong in ((-1, "past"), (181, "180 days")):
        with pytest.raises(Invalid) as refused:
            waived(scene, waiting, reason=" ", expires_at=timezone.now() + timedelta(days=days))
        assert [error.pointer for error in refused.value.errors] == ["/reason", "/expires_at"]
        assert wrong in refused.value.errors[1].detail
    assert not Waiver.objects.exists()


def test_the_same_person_waives_the_same_finding_once(scene, waiting):
    row = waived(scene, waiting)
    with pytest.raises(Conflict) as refused:
        waived(scene, waiting)
    assert (refused.value.code, row.pk in refused.value.detail) == ("already_waived", True)


def test_a_finding_that_is_not_there_or_not_alone_is_refused_with_its_pointer(scene, target, waiting):
    both = scene.propose(target, to="0012")
    for subject, more, pointer in (
        (both, {}, "/subject"),
        (both, {"rule": "truncate"}, "/rule"),
        (waiting, {"finding": "0" * 64}, "/subject"),
        (waiting, {"rule": ""}, "/subject"),
    ):
        with pytest.raises(Invalid) as refused:
            waived(scene, subject, **more)
        assert refused.value.errors[0].pointer == pointer


def test_the_unseen_is_waived_for_a_revision_as_a_whole_and_for_one_direction(scene, shop_at):
    scene.project.bundle.revisions.filter(revision="0007").update(opaque="it asks", down_opaque="it asks")
    up, down = scene.target(shop_at("0006")), scene.target(shop_at("0007"), "shop-2")
    first = scene.propose(up, to="0007")
    assert (first.dangerous, first.approvals_reason) == (True, "needs 1 person because of opaque-code")
    waived(scene, first, rule="opaque-code")
    assert scene.propose(up, to="0007").status == "approved"
    back = scene.propose(down, to="-1")
    assert back.dangerous
    waived(scene, back, rule="opaque-code")
    assert not scene.propose(down, to="-1").dangerous


def test_pending_weighs_as_a_rollout_of_the_same_person_would(scene, target, waiting):
    waived(scene, waiting)
    for user, expected in ((scene.alice, False), (scene.bob, True)):
        first = examine.pending(actor=scene.actor(user), target=target)[0]
        assert (first["revision"], first["dangerous"]) == ("0011", expected)
