"""Decisions: by another person, on exactly this digest, once; everything else is refused and kept."""

import pytest

from migrations_app.errors import Conflict, Forbidden, Invalid
from migrations_app.models import Actor, Approval, AuditEvent
from migrations_app.stages import access, approve, inventory
from tests.stages.conftest import SYSTEM


@pytest.fixture
def waiting(scene, shop_at):
    return scene.propose(scene.target(shop_at("0010")))


def another(name, *roles, is_machine=False):
    return access.ensure_user(actor=SYSTEM, username=name, password=None, roles=roles, is_machine=is_machine)


def test_a_second_person_approves_and_the_steps_follow(scene, waiting):
    row = scene.approved(waiting)
    assert (row.status, row.reason) == ("approved", "approved by bob")
    assert {step.status for plan in row.plans.all() for step in plan.steps.all()} == {"approved"}
    assert row.expires_at is not None


def test_the_author_cannot_approve_even_as_an_approver(scene, waiting):
    scene.alice.groups.set(scene.bob.groups.all())
    with pytest.raises(Forbidden) as refused:
        approve.approve(actor=scene.actor(scene.alice), user=scene.alice, subject=waiting, digest=waiting.digest)
    assert refused.value.code == "self_approval"
    assert AuditEvent.objects.filter(action="approve", outcome="denied", actor="alice").exists()


def test_a_machine_cannot_approve_whatever_its_roles(scene, waiting):
    robot = another("robot", "approver", "admin", is_machine=True)
    with pytest.raises(Forbidden) as refused:
        approve.approve(actor=Actor.of(robot, via="api"), user=robot, subject=waiting, digest=waiting.digest)
    assert refused.value.code == "machine"


def test_a_persons_machine_token_cannot_approve(scene, waiting):
    actor = Actor.of(scene.bob, via="api", is_machine=True)
    with pytest.raises(Forbidden) as refused:
        approve.approve(actor=actor, user=scene.bob, subject=waiting, digest=waiting.digest)
    assert refused.value.code == "machine"


def test_another_digest_is_stale(scene, waiting):
    with pytest.raises(Conflict) as refused:
        approve.approve(actor=scene.actor(scene.bob), user=scene.bob, subject=waiting, digest="sha256:0")
    assert refused.value.code == "stale"
    assert not Approval.objects.exists()


def test_two_approvals_need_two_people(scene, shop_at):
    inventory.update_environment(actor=scene.actor(scene.root), environment=scene.environment, policy={"approvals": 2})
    scene.environment.refresh_from_db()
    row = scene.propose(scene.target(shop_at("0010")))
    first = scene.approved(row)
    assert (first.status, first.reason) == ("awaiting_approval", "1 of 2 approvals given; 1 missing")
    with pytest.raises(Conflict, match="already"):
        scene.approved(row)
    carla = another("carla", "approver")
    done = approve.approve(actor=scene.actor(carla), user=carla, subject=row, digest=row.digest)
    assert done.status == "approved"


def test_a_rejection_needs_a_comment_and_ends_it(scene, waiting):
    actor = scene.actor(scene.bob)
    with pytest.raises(Invalid) as refused:
        approve.reject(actor=actor, user=scene.bob, subject=waiting, digest=waiting.digest, comment=" ")
    assert refused.value.errors[0].pointer == "/comment"
    row = approve.reject(actor=actor, user=scene.bob, subject=waiting, digest=waiting.digest, comment="not on Friday")
    assert row.status == "rejected"
    assert {step.status for plan in row.plans.all() for step in plan.steps.all()} == {"cancelled"}


def test_a_policy_may_ask_for_a_group(scene, shop_at):
    inventory.update_environment(
        actor=scene.actor(scene.root), environment=scene.environment, policy={"approver_groups": ["dba"]}
    )
    scene.environment.refresh_from_db()
    row = scene.propose(scene.target(shop_at("0010")))
    with pytest.raises(Forbidden, match="dba"):
        scene.approved(row)


def test_may_decide_says_why_not(scene, waiting):
    assert approve.may_decide(actor=scene.actor(scene.bob), subject=waiting).allowed
    assert "author" in approve.may_decide(actor=scene.actor(scene.alice), subject=waiting).reason
    row = scene.approved(waiting)
    assert "approved" in approve.may_decide(actor=scene.actor(scene.bob), subject=row).reason


def test_what_changed_since_the_approval_cannot_even_start(scene, waiting):
    row = scene.approved(waiting)
    scene.bob.groups.clear()
    with pytest.raises(Conflict) as refused:
        scene.started(row)
    assert refused.value.code == "stale"
    row.refresh_from_db()
    assert row.status == "stale"
    assert "0 of 1 approvals are still valid" in row.reason
