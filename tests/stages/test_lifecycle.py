"""One way to set a status: conditional, with its audit entry, or not at all."""

import pytest
from django.db import models

from migrations_app import lifecycle
from migrations_app.errors import Conflict
from migrations_app.models import AuditEvent, Backfill, Revision, Rollout, Step, status
from tests.stages.conftest import SYSTEM

KINDS = {Revision: "Revision", Rollout: "Rollout", Step: "Step", Backfill: "Backfill"}


@pytest.fixture
def row(scene, shop_at):
    return scene.propose(scene.target(shop_at("0006")), to="0007")


def test_who_is_first_wins_and_the_other_writes_nothing(row):
    late = Rollout.objects.get(pk=row.pk)
    assert lifecycle.advance(row, "running", actor=SYSTEM, reason="first")
    before = AuditEvent.objects.count()
    assert lifecycle.advance(late, "cancelled", actor=SYSTEM, reason="second") is False
    assert AuditEvent.objects.count() == before
    assert Rollout.objects.get(pk=row.pk).reason == "first"


def test_a_move_that_is_not_listed_cannot_happen(row):
    with pytest.raises(Conflict) as refused:
        lifecycle.advance(row, "succeeded", actor=SYSTEM, reason="skipped everything")
    assert refused.value.code == "illegal_transition"


def test_a_move_raises_the_version_and_says_from_where(row):
    version = row.version
    lifecycle.advance(row, "running", actor=SYSTEM, reason="go")
    assert row.version == version + 1
    assert AuditEvent.objects.filter(object_id=row.pk).last().payload == {"from": "approved", "reason": "go"}


@pytest.mark.parametrize("kind", KINDS, ids=KINDS.values())
def test_every_status_can_be_reached_and_every_edge_is_between_known_ones(kind):
    field = kind._meta.get_field("status")
    assert isinstance(field, models.CharField)
    known = {value for value, _ in field.choices}
    assert {name for edge in kind.EDGES for name in edge} <= known
    assert known - {to for _, to in kind.EDGES} == {field.default}


def test_final_statuses_lead_nowhere_but_to_a_retry():
    for edges, final in ((status.ROLLOUT_EDGES, status.ROLLOUT_FINAL), (status.BACKFILL_EDGES, status.BACKFILL_FINAL)):
        onwards = {(was, to) for was, to in edges if was in final}
        assert {was for was, _ in onwards} <= {"failed"}
