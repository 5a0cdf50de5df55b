"""Backfills: checked on the target before anything is kept, steered by people, exact to the row."""

import psycopg
import pytest

from migrations_app.engines.backfill import checkpoint
from migrations_app.errors import Conflict, Forbidden, Invalid
from migrations_app.models import Backfill
from migrations_app.models.secrets import address_of
from migrations_app.stages import approve, backfill, inventory, slices

CENTS = {"total_cents": "round(total * 100)::bigint"}


@pytest.fixture
def expanded(scene, shop_at):
    """A target at 0007: orders have an empty column total_cents."""
    return scene.target(shop_at("0007"))


@pytest.fixture
def declare(scene):
    def make(target, **fields):
        fields = {"table": "orders", "set": CENTS, "where": "total_cents IS NULL", "purpose": "a test", **fields}
        return backfill.declare(actor=scene.actor(scene.alice), author=scene.alice, target=target, **fields)

    return make


def run(scene, row, rounds=20):
    backfill.start(actor=scene.actor(scene.alice), backfill=row)
    return carry_on(row, rounds)


def carry_on(row, rounds=20):
    for _ in range(rounds):
        if not slices.work(backfill_id=row.pk, owner="test"):
            break
    row.refresh_from_db()
    return row


def test_a_backfill_that_fills_an_empty_column_needs_no_approval_and_verifies(scene, expanded, declare):
    row = declare(expanded)
    assert (row.status, row.guarantee, row.rows_estimated) == ("approved", "exactly_once", 3000)
    row = run(scene, row)
    assert (row.status, row.rows_done, row.remaining_rows) == ("verified", 3000, 0)
    assert row.fraction == 1.0
    assert row.samples.exists()


def test_one_that_overwrites_values_waits_for_a_second_person(scene, expanded, declare):
    row = declare(expanded, set={"total": "0"}, where="")
    assert (row.status, row.approvals_required) == ("awaiting_approval", 1)
    with pytest.raises(Forbidden, match="author"):
        approve.approve(actor=scene.actor(scene.alice), user=scene.alice, subject=row, digest=row.digest)
    row = approve.approve(actor=scene.actor(scene.bob), user=scene.bob, subject=row, digest=row.digest)
    assert row.status == "approved"


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"table": "oders"}, "/table"),
        ({"set": {"cents": "1"}}, "/set/cents"),
        ({"set": {"total_cents": "now()"}}, "/set/total_cents"),
        ({"where": "nothing = 1"}, "/where"),
        ({"key": ["status"]}, "/key"),
        ({"chunk_ms": 0}, "/chunk_ms"),
        ({"workers": 3}, "/workers"),
        ({"set": {}}, "/set"),
    ],
)
def test_a_bad_definition_is_refused_by_field_and_nothing_is_kept(expanded, declare, fields, pointer):
    with pytest.raises(Invalid) as refused:
        declare(expanded, **fields)
    assert [error.pointer for error in refused.value.errors] == [pointer]
    assert not Backfill.objects.exists()


def test_a_table_without_a_key_is_refused_with_what_to_do(expanded, declare):
    with psycopg.connect(_url(expanded), autocommit=True) as conn:
        conn.execute("CREATE TABLE heap (a int)")
    with pytest.raises(Invalid, match="key"):
        declare(expanded, table="heap", set={"a": "1"}, where="a IS NULL")


def _url(target):
    return address_of(target).url(with_password=True)


def test_pause_and_resume_go_on_from_the_checkpoint(scene, expanded, declare, settings):
    settings.TIDEGATE_SLICE_S = 0.05
    row = declare(expanded, chunk_ms=5)
    backfill.start(actor=scene.actor(scene.alice), backfill=row)
    slices.work(backfill_id=row.pk, owner="test")
    backfill.pause(actor=scene.actor(scene.alice), backfill=row)
    row = carry_on(row)
    assert row.status == "paused"
    before = row.rows_done
    assert 0 < before < 3000
    backfill.resume(actor=scene.actor(scene.alice), backfill=row)
    row = carry_on(row, rounds=400)
    assert (row.status, row.rows_done) == ("verified", 3000)


def test_cancel_keeps_what_is_done_and_ends(scene, expanded, declare, settings):
    settings.TIDEGATE_SLICE_S = 0.05
    row = declare(expanded, chunk_ms=5)
    backfill.start(actor=scene.actor(scene.alice), backfill=row)
    slices.work(backfill_id=row.pk, owner="test")
    backfill.cancel(actor=scene.actor(scene.alice), backfill=row)
    row = carry_on(row)
    assert row.status == "cancelled"
    assert f"{row.rows_done:,} rows are done and stay" in row.reason
    with pytest.raises(Conflict, match="It is cancelled"):
        backfill.start(actor=scene.actor(scene.alice), backfill=row)


def test_a_paused_replica_holds_it_back_with_the_reason_and_lets_it_go(
    scene, shop_at, declare, replica_server_url, pause_replay, settings
):
    settings.TIDEGATE_SLICE_S = 1.5
    target = scene.target(shop_at("0007"), replicas=[{"name": "r1", "url": replica_server_url}])
    row = declare(target)
    with pause_replay():
        row = run(scene, row, rounds=1)
        assert (row.status, row.rows_done) == ("running", 0)
        assert "replica r1 is paused" in row.throttle_reason
    row = carry_on(row)
    assert (row.status, row.throttle_reason) == ("verified", "")


def test_a_replica_that_is_missing_stops_it(scene, shop_at, declare, settings):
    settings.TIDEGATE_SLICE_S = 1.0
    row = run(scene, declare(scene.target(shop_at("0007"), replicas=[{"name": "gone"}])), rounds=1)
    assert row.rows_done == 0
    assert "gone is missing" in row.throttle_reason


def test_rows_that_still_match_at_the_end_are_a_failure_that_says_how_many(scene, expanded, declare):
    row = run(scene, declare(expanded, set={"total_cents": "NULL"}))
    assert (row.status, row.remaining_rows) == ("failed", 3000)
    assert "3000 rows still match" in row.reason


def test_a_table_that_changed_since_the_approval_makes_it_stale(scene, expanded, declare):
    row = declare(expanded)
    with psycopg.connect(_url(expanded), autocommit=True) as conn:
        conn.execute("ALTER TABLE orders RENAME TO orders_old; CREATE TABLE orders (LIKE orders_old INCLUDING ALL)")
    row = run(scene, row)
    assert row.status == "stale"
    assert "table" in row.reason


def test_a_live_lease_keeps_a_second_worker_out_and_a_dead_one_does_not(scene, expanded, declare):
    row = declare(expanded)
    backfill.start(actor=scene.actor(scene.alice), backfill=row)
    assert Backfill.objects.claim(row.pk, owner="alive", lease_s=30) == 1
    assert slices.work(backfill_id=row.pk, owner="test") is False
    Backfill.objects.filter(pk=row.pk).update(lease_until="2020-01-01T00:00Z")
    assert carry_on(row).status == "verified"


def test_a_worker_of_an_older_epoch_is_fenced_by_the_target(scene, expanded, declare):
    row = declare(expanded)
    with psycopg.connect(_url(expanded), autocommit=True) as conn:
        checkpoint.ensure(conn)
        checkpoint.claim(conn, row.pk, 99)
    row = run(scene, row)
    assert (row.status, row.rows_done) == ("running", 0)
    assert "epoch 99" in row.reason


def test_limits_change_while_it_runs_and_bad_ones_do_not(scene, expanded, declare):
    row = declare(expanded)
    row = backfill.adjust(actor=scene.actor(scene.alice), backfill=row, max_lag_s=0.5, chunk_ms=50)
    assert (row.max_lag_s, row.chunk_ms) == (0.5, 50)
    with pytest.raises(Invalid) as refused:
        backfill.adjust(actor=scene.actor(scene.alice), backfill=row, chunk_ms=1)
    assert refused.value.errors[0].pointer == "/chunk_ms"


def test_a_preview_shows_rows_before_and_after_and_changes_nothing(scene, expanded, declare):
    shown = backfill.preview(actor=scene.actor(scene.alice), backfill=declare(expanded))
    assert shown.rows[0].before == {"total_cents": None}
    assert shown.rows[0].after["total_cents"] > 0
    with psycopg.connect(_url(expanded)) as conn:
        assert conn.execute("SELECT count(total_cents) FROM orders").fetchone() == (0,)


def test_a_target_that_is_away_is_tried_again_later_with_the_reason(scene, expanded, declare, monkeypatch):
    row = declare(expanded)
    monkeypatch.setattr(slices, "connect", _refuse)
    row = run(scene, row)
    assert (row.status, row.attempts) == ("running", 1)
    assert "Try 1 of 8" in row.reason
    assert not Backfill.objects.due().exists()


def _refuse(*_, **__):
    raise slices.TidegateError("nothing listens there")


@pytest.mark.parametrize("tamper", ["set", "where", "policy", "approver"])
def test_what_differs_from_the_approved_backfill_changes_no_row(scene, expanded, declare, tamper):
    row = declare(expanded, set={"total": "total + 1"}, where="id > 0 OR id IS NULL")
    row = approve.approve(actor=scene.actor(scene.bob), user=scene.bob, subject=row, digest=row.digest)
    {
        "set": lambda: Backfill.objects.filter(pk=row.pk).update(set={"total": "0"}),
        "where": lambda: Backfill.objects.filter(pk=row.pk).update(where="true"),
        "policy": lambda: inventory.update_environment(
            actor=scene.actor(scene.root), environment=scene.environment, policy={"approvals": 2}
        ),
        "approver": scene.bob.groups.clear,
    }[tamper]()
    row = run(scene, row)
    assert (row.status, row.rows_done) == ("stale", 0)
    with psycopg.connect(_url(expanded)) as conn:
        assert conn.execute("SELECT sum(total) FROM orders").fetchone() == (sum(range(1, 3001)),)


def test_an_approval_that_ran_out_does_not_start_a_backfill(scene, expanded, declare):
    row = declare(expanded)
    Backfill.objects.filter(pk=row.pk).update(expires_at="2020-01-01T00:00Z")
    row.refresh_from_db()
    with pytest.raises(Conflict) as refused:
        backfill.start(actor=scene.actor(scene.alice), backfill=row)
    assert refused.value.code == "expired"
    row.refresh_from_db()
    assert row.status == "stale"
