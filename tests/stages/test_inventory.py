"""Targets: registered only when reached and recognised, looked at, and never half-kept."""

import os

import pytest

from migrations_app.errors import Conflict, Forbidden, Invalid, TargetUnreachable
from migrations_app.models import AuditEvent, Replica, Target
from migrations_app.stages import inventory


def test_a_registered_target_knows_its_state_and_hides_its_password(scene, shop_at):
    row = scene.target(shop_at("0006"))
    assert (row.schema_state, row.current, row.pending) == ("behind", ["0006"], 7)
    assert row.address.startswith("postgresql://postgres@127.0.0.1:")
    assert "postgres:" not in row.url_sealed + row.address


def test_the_schema_state_is_at_head_or_unversioned(scene, shop_at, database_url):
    assert scene.target(shop_at("0013"), "head").schema_state == "at_head"
    assert scene.target(database_url, "empty").schema_state == "unversioned"


def test_a_revision_that_no_file_has_is_told(scene, shop_at, ask):
    url = shop_at("0006")
    ask(url, "UPDATE alembic_version SET version_num = 'feed'")
    row = scene.target(url)
    assert row.schema_state == "unknown_revision"
    assert "feed" in row.schema_reason


def test_an_unreachable_url_leaves_nothing_registered(scene):
    with pytest.raises(TargetUnreachable, match="nothing listens"):
        scene.target("postgresql://app:hush@127.0.0.1:9/shop")
    assert not Target.objects.exists()


def test_a_wrong_password_is_said_without_the_password(scene, shop_at):
    url = shop_at("0006").replace("://postgres:", "://postgres:not")
    with pytest.raises(TargetUnreachable) as refused:
        scene.target(url)
    assert "password" in refused.value.detail
    assert "not" + url.split("not")[1].split("@")[0] not in refused.value.detail


def test_the_control_database_can_never_be_a_target(scene, settings):
    own = settings.DATABASES["default"]
    url = f"postgresql://{own['USER']}:{own['PASSWORD']}@{own['HOST']}:{own['PORT']}/{own['NAME']}"
    with pytest.raises(Invalid, match="own database"):
        scene.target(url)
    assert not Target.objects.exists()


def test_one_database_cannot_be_registered_twice(scene, shop_at):
    url = shop_at("0006")
    scene.target(url, "one")
    with pytest.raises(Invalid, match="registered under another name"):
        scene.target(url, "two")


def test_a_new_url_must_lead_to_the_same_database(scene, shop_at):
    row = scene.target(shop_at("0006"))
    with pytest.raises(Invalid, match="another database"):
        inventory.update_target(actor=scene.actor(scene.root), target=row, url=shop_at("0006"))


def test_only_an_admin_registers_and_the_attempt_is_kept(scene, shop_at):
    with pytest.raises(Forbidden, match="admin"):
        inventory.create_environment(actor=scene.actor(scene.alice), name="mine")
    assert AuditEvent.objects.filter(outcome="denied", actor="alice").exists()


def test_a_healthy_replica_streams_and_a_missing_one_is_missing(scene, shop_at, replica_server_url, replica_turn):
    replica_turn.share()
    row = scene.target(shop_at("0006"), replicas=[{"name": "r1", "url": replica_server_url}, {"name": "gone"}])
    seen = {replica.name: replica.state for replica in Replica.objects.filter(target=row)}
    assert seen == {"r1": "streaming", "gone": "missing"}


def test_a_paused_replica_is_said_to_be_paused(scene, shop_at, replica_server_url, pause_replay):
    url = shop_at("0006")
    row = scene.target(url, replicas=[{"name": "r1", "url": replica_server_url}])
    with pause_replay():
        seen = inventory.probe(actor=scene.actor(scene.alice), target=row)
    assert seen.replicas[0].state == "paused"


def test_a_target_that_goes_away_is_unreachable_with_its_reason(scene, shop_at, ask):
    url = shop_at("0006")
    row = scene.target(url)
    ask(os.environ["TIDEGATE_TEST_PRIMARY_URL"], f"ALTER DATABASE {url.rsplit('/', 1)[1]} ALLOW_CONNECTIONS false")
    seen = inventory.probe(actor=scene.actor(scene.alice), target=row)
    assert (seen.reachable, seen.schema_state) == (False, "unreachable")
    assert seen.reason


def test_wrong_limits_and_policies_are_named_by_field(scene, shop_at):
    with pytest.raises(Invalid) as refused:
        scene.target(shop_at("0006"), limits={"lock_timeout_ms": 0, "speed": 3})
    assert {error.pointer for error in refused.value.errors} == {"/limits/lock_timeout_ms", "/limits/speed"}
    with pytest.raises(Invalid, match="approvals"):
        inventory.update_environment(
            actor=scene.actor(scene.root), environment=scene.environment, policy={"approvals": 0}
        )


def test_a_target_with_a_history_stays(scene, shop_at):
    row = scene.target(shop_at("0006"))
    scene.propose(row, to="0007")
    with pytest.raises(Conflict, match="Cancel it first"):
        inventory.remove_target(actor=scene.actor(scene.root), target=row)
