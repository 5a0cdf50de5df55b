"""Revisions on a target: under its lock, only what was approved, and the target's own tables decide what is done."""

import shutil

import psycopg
import pytest

from migrations_app.engines.postgres import catalog, locks
from migrations_app.engines.postgres.fingerprint import fingerprint
from migrations_app.models import AuditEvent, Backfill, Environment, LogLine, Rollout, Step, TargetPlan
from migrations_app.stages import discover, execute, inventory, rollout
from tests.stages.conftest import RECIPE, SHOP, SYSTEM, alembic


def steps(row):
    return dict(Step.objects.filter(plan__rollout=row).values_list("revision__revision", "status"))


def test_a_revision_runs_is_logged_with_times_and_verified(scene, shop_at, ask):
    url = shop_at("0006")
    row = scene.drive(scene.started(scene.propose(scene.target(url), to="0007")))
    assert (row.status, steps(row)) == ("succeeded", {"0007": "verified"})
    line = LogLine.objects.get(step__plan__rollout=row, kind="statement", text__startswith="ALTER TABLE orders")
    assert line.duration_ms > 0
    assert ask(url, "SELECT version_num FROM alembic_version") == ["0007"]


def test_every_move_has_its_audit_entry(scene, shop_at):
    row = scene.drive(scene.started(scene.propose(scene.target(shop_at("0006")), to="0007")))
    moves = AuditEvent.objects.filter(object_id=row.pk).values_list("action", flat=True)
    assert [m for m in moves if m.startswith("rollout.")] == [
        "rollout.planned", "rollout.approved", "rollout.running", "rollout.succeeded",
    ]  # fmt: skip
    step = Step.objects.get(plan__rollout=row)
    assert list(AuditEvent.objects.filter(object_id=step.pk).values_list("action", flat=True)) == [
        "step.approved", "step.running", "step.executed", "step.verified",
    ]  # fmt: skip


def test_expand_backfill_and_contract_run_in_one_rollout(scene, shop_at, ask):
    url = shop_at("0006")
    row = scene.drive(scene.started(scene.approved(scene.propose(scene.target(url)))))
    assert row.status == "succeeded", row.reason
    assert set(steps(row).values()) == {"verified"}
    assert ask(url, "SELECT count(*) FROM orders WHERE total_cents IS NULL") == [0]
    assert ask(url, "SELECT rows_done FROM tidegate.backfill_checkpoint") == [3000]
    assert ask(url, "SELECT version_num FROM alembic_version") == ["0013"]


def test_an_index_is_built_concurrently_and_must_be_valid(scene, shop_at, ask):
    url = shop_at("0003")
    row = scene.drive(scene.started(scene.propose(scene.target(url), to="0004")))
    assert row.status == "succeeded", row.reason
    with psycopg.connect(url) as conn:
        assert catalog.invalid_indexes(conn) == ()


def test_nothing_runs_when_the_schema_changed_after_the_plan(scene, shop_at, ask):
    url = shop_at("0006")
    row = scene.started(scene.propose(scene.target(url), to="0007"))
    ask(url, "ALTER TABLE orders ADD COLUMN surprise int")
    row = scene.drive(row)
    assert row.status == "stale"
    assert "schema has changed" in row.reason
    assert ask(url, "SELECT version_num FROM alembic_version") == ["0006"]


def test_nothing_runs_when_somebody_else_upgraded_meanwhile(scene, shop_at, ask):
    url = shop_at("0006")
    row = scene.started(scene.propose(scene.target(url), to="0009"))
    alembic(url, "0008")
    ask(url, "UPDATE orders SET total_cents = 0")
    row = scene.drive(row)
    assert row.status == "stale"
    assert "the target is at 0008" in row.reason


@pytest.mark.parametrize("tamper", ["sql", "policy", "bundle", "target", "approver", "verdict"])
def test_an_altered_input_stops_the_run_before_its_first_statement(scene, shop_at, ask, tamper):
    url = shop_at("0010")
    row = scene.started(scene.approved(scene.propose(scene.target(url), to="0011")))
    {
        "sql": lambda: Step.objects.filter(plan__rollout=row).update(statements=["SELECT 1"]),
        "policy": lambda: inventory.update_environment(
            actor=scene.actor(scene.root), environment=Environment.objects.get(), policy={"approvals": 2}
        ),
        "bundle": lambda: (
            Step.objects.get(plan__rollout=row)
            .revision.__class__.objects.filter(revision="0011")
            .update(sha256="0" * 64)
        ),
        "target": lambda: TargetPlan.objects.filter(rollout=row).update(to_heads=["0013"]),
        "approver": scene.bob.groups.clear,
        "verdict": lambda: Rollout.objects.filter(pk=row.pk).update(dangerous=False),
    }[tamper]()
    row = scene.drive(row)
    assert row.status == "stale"
    assert ask(url, "SELECT version_num FROM alembic_version") == ["0010"]
    assert ask(url, "SELECT count(total) FROM orders") == [3000]


def test_bytes_swapped_in_the_store_never_run(scene, shop_at, ask):
    url = shop_at("0010")
    row = scene.started(scene.approved(scene.propose(scene.target(url), to="0011")))
    folder = row.bundle.unpack()
    victim = folder / "migrations" / "versions" / "0011_drop_the_old_order_totals.py"
    victim.chmod(0o644)
    victim.write_text(victim.read_text().replace("total", "total_cents"))
    row = scene.drive(row)
    assert row.status == "succeeded", row.reason  # the folder was made anew from the approved bytes
    assert ask(url, "SELECT count(total_cents) FROM orders") == [3000]


def test_a_failing_revision_says_why_and_leaves_nothing(scene, shop_at, ask):
    url = shop_at("0009")
    target = scene.target(url)
    ask(url, "ALTER TABLE orders DROP CONSTRAINT orders_total_cents_filled")
    row = scene.drive(scene.started(scene.propose(target, to="0010")))
    assert row.status == "failed"
    step = Step.objects.get(plan__rollout=row)
    assert "orders_total_cents_filled" in step.reason
    assert ask(url, "SELECT version_num FROM alembic_version") == ["0009"]


def test_a_failed_rollout_is_retried_from_where_the_target_stands(scene, shop_at, ask):
    url = shop_at("0009")
    ask(url, "ALTER TABLE orders DROP CONSTRAINT orders_total_cents_filled")
    row = scene.drive(scene.started(scene.propose(scene.target(url), to="0010")))
    plan = TargetPlan.objects.get(rollout=row)
    ask(url, "ALTER TABLE orders ADD CONSTRAINT orders_total_cents_filled CHECK (total_cents IS NOT NULL) NOT VALID")
    with psycopg.connect(url) as conn:
        TargetPlan.objects.filter(pk=plan.pk).update(expected_fingerprint=fingerprint(conn).sha256)
    row = scene.drive(rollout.retry(actor=scene.actor(scene.alice), rollout=row))
    assert row.status == "succeeded", row.reason


def test_a_reader_in_the_way_is_named_and_the_lock_is_tried_again(scene, shop_at):
    url = shop_at("0006")
    target = scene.target(url, limits={"lock_timeout_ms": 1500})
    row = scene.started(scene.propose(target, to="0007"))
    plan = TargetPlan.objects.get(rollout=row)
    with psycopg.connect(url, application_name="slow report") as reader:
        reader.execute("SELECT count(*) FROM orders")
        execute.run(plan_id=plan.pk, owner="test")
    step = Step.objects.get(plan__rollout=row)
    assert (step.status, plan.rollout.status) == ("approved", "running")
    assert "Try 1 of 30 (lock)" in step.reason
    TargetPlan.objects.filter(pk=plan.pk).update(not_before=None)
    assert scene.drive(row).status == "succeeded"


def test_while_it_waits_the_blocker_is_shown_live(scene, shop_at):
    url = shop_at("0006")
    target = scene.target(url, limits={"lock_timeout_ms": 3000})
    row = scene.started(scene.propose(target, to="0007"))
    seen = []
    with psycopg.connect(url, application_name="slow report") as reader:
        reader.execute("SELECT count(*) FROM orders")
        pid = reader.info.backend_pid
        original = execute.lifecycle.touch
        patch = pytest.MonkeyPatch()
        patch.setattr(execute.lifecycle, "touch", lambda r, **c: (seen.append(c.get("reason", "")), original(r, **c)))
        execute.run(plan_id=TargetPlan.objects.get(rollout=row).pk, owner="test")
        patch.undo()
    assert any("slow report" in reason and str(pid) in reason for reason in seen), seen


def test_a_target_that_somebody_else_holds_is_left_alone(scene, shop_at, ask):
    url = shop_at("0006")
    target = scene.target(url)
    row = scene.started(scene.propose(target, to="0007"))
    key = locks.lock_key(target.system_identifier, target.database_oid)
    with psycopg.connect(url, autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(%s)", [key])
        execute.run(plan_id=TargetPlan.objects.get(rollout=row).pk, owner="test")
    assert ask(url, "SELECT version_num FROM alembic_version") == ["0006"]
    assert "lock" in Step.objects.get(plan__rollout=row).reason


def test_a_commit_that_a_dead_worker_could_not_report_is_found(scene, shop_at, ask):
    url = shop_at("0006")
    row = scene.started(scene.propose(scene.target(url), to="0007"))
    plan = TargetPlan.objects.get(rollout=row)
    step = Step.objects.get(plan=plan)
    execute.lifecycle.advance(step, "running", actor=SYSTEM, reason="a worker that died")
    alembic(url, "0007")  # what it had committed
    row = scene.drive(row)
    assert (row.status, steps(row)) == ("succeeded", {"0007": "verified"})
    assert not LogLine.objects.filter(step=step, kind="statement").exists()  # it was not run again


def test_a_worker_that_died_before_its_commit_is_followed_by_another(scene, shop_at):
    row = scene.started(scene.propose(scene.target(shop_at("0006")), to="0007"))
    step = Step.objects.get(plan__rollout=row)
    execute.lifecycle.advance(step, "running", actor=SYSTEM, reason="a worker that died")
    assert scene.drive(row).status == "succeeded"


def test_a_plan_under_a_live_lease_is_not_touched(scene, shop_at):
    row = scene.started(scene.propose(scene.target(shop_at("0006")), to="0007"))
    plan = TargetPlan.objects.get(rollout=row)
    assert TargetPlan.objects.claim(plan.pk, owner="other", lease_s=30) == 1
    assert execute.run(plan_id=plan.pk, owner="test") is None
    assert steps(row) == {"0007": "approved"}


def test_cancel_stops_before_the_next_segment(scene, shop_at, ask):
    url = shop_at("0006")
    row = scene.started(scene.approved(scene.propose(scene.target(url))))
    execute.run(plan_id=TargetPlan.objects.get(rollout=row).pk, owner="test")
    rollout.cancel(actor=scene.actor(scene.alice), rollout=row)
    row = scene.drive(row)
    assert row.status == "cancelled"
    assert ask(url, "SELECT version_num FROM alembic_version") == ["0008"]
    assert steps(row)["0013"] == "cancelled"


def test_waves_run_one_after_the_other(scene, shop_at):
    one, two = scene.target(shop_at("0006"), "one"), scene.target(shop_at("0006"), "two")
    row = scene.started(scene.propose(one, two, to="0007", waves=[["one"], ["two"]]))
    due = rollout.progress(rollout_id=row.pk).due
    assert [TargetPlan.objects.get(pk=pk).target.slug for pk in due] == ["one"]
    assert scene.drive(row).status == "succeeded"


def test_an_approval_that_ran_out_no_longer_starts(scene, shop_at):
    row = scene.approved(scene.propose(scene.target(shop_at("0010"))))
    Rollout.objects.filter(pk=row.pk).update(expires_at="2020-01-01T00:00Z")
    with pytest.raises(execute.TidegateError) as late:
        scene.started(row)
    assert late.value.code == "expired"


def test_two_workers_never_both_claim_one_plan(scene, shop_at):
    row = scene.started(scene.propose(scene.target(shop_at("0006")), to="0007"))
    plan = TargetPlan.objects.get(rollout=row)
    claims = [TargetPlan.objects.claim(plan.pk, owner=str(n), lease_s=30) for n in range(5)]
    assert [claim for claim in claims if claim] == [1]


def test_a_contract_waits_until_its_backfill_has_soaked(scene, shop_at, tmp_path, ask):
    scene.project = soaking(scene, tmp_path)
    url = shop_at("0006")
    row = scene.drive(scene.started(scene.propose(scene.target(url), to="0009")))
    assert row.status == "running"
    assert ask(url, "SELECT version_num FROM alembic_version") == ["0008"]
    waiting = Step.objects.get(plan__rollout=row, revision__revision="0009")
    assert (waiting.status, waiting.reason[:40]) == ("approved", "waits until the backfill before it has s")
    Backfill.objects.update(finished_at="2020-01-01T00:00Z")
    TargetPlan.objects.filter(rollout=row).update(not_before=None)
    assert scene.drive(row).status == "succeeded"


def soaking(scene, tmp_path):
    folder = shutil.copytree(SHOP, tmp_path / "shop")
    path = folder / "migrations" / "versions" / "0009_no_new_order_without_cents.py"
    path.write_text(path.read_text().replace('"soak_s": 0', '"soak_s": 3600'))
    source = {"kind": "path", "path": str(folder)}
    return discover.create_project(actor=scene.actor(scene.root), slug="soaking", name="S", source=source, **RECIPE)


def test_an_invalid_index_is_named_and_a_repair_is_looked_at_again(scene, shop_at, ask):
    url = shop_at("0003")
    row = scene.started(scene.propose(scene.target(url), to="0004"))
    alembic(url, "0004")  # what a killed worker left: stamped, and an index that no query uses
    index = ask(url, "SELECT relname FROM pg_class WHERE relname LIKE 'orders_customer%' AND relkind = 'i'")[0]
    ask(url, f"UPDATE pg_index SET indisvalid = false WHERE indexrelid = '{index}'::regclass")
    Step.objects.filter(plan__rollout=row).update(status="running")
    row = scene.drive(row)
    step = Step.objects.get(plan__rollout=row)
    assert (row.status, step.status) == ("failed", "inconsistent")
    assert f"index {index} is INVALID" in step.reason
    ask(url, f"REINDEX INDEX {index}")
    row = scene.drive(rollout.retry(actor=scene.actor(scene.alice), rollout=row))
    assert row.status == "succeeded", row.reason


def test_a_cancel_while_a_statement_waits_ends_the_run_and_leaves_nothing(scene, shop_at, ask):
    url = shop_at("0006")
    target = scene.target(url, limits={"lock_timeout_ms": 20_000})
    row = scene.started(scene.propose(target, to="0007"))
    Rollout.objects.filter(pk=row.pk).update(asked="")
    looked = execute._Work._look

    def ask_to_cancel_first(self, runs, conn):
        if self.backend_pid:
            Rollout.objects.filter(pk=row.pk).update(asked="cancel")
        looked(self, runs, conn)

    with psycopg.connect(url) as reader, pytest.MonkeyPatch.context() as patch:
        reader.execute("SELECT count(*) FROM orders")
        patch.setattr(execute._Work, "_look", ask_to_cancel_first)
        execute.run(plan_id=TargetPlan.objects.get(rollout=row).pk, owner="test")
    row = scene.drive(row)
    assert (row.status, steps(row)) == ("cancelled", {"0007": "cancelled"})
    assert ask(url, "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'tidegate:plan%'") == [0]


def test_a_backfill_that_is_not_what_its_revision_declares_changes_no_row(scene, shop_at, ask):
    url = shop_at("0007")
    row = scene.started(scene.propose(scene.target(url), to="0008"))
    execute.run(plan_id=TargetPlan.objects.get(rollout=row).pk, owner="test")
    rollout.progress(rollout_id=row.pk)
    Backfill.objects.update(set={"total_cents": "0"})
    row = scene.drive(row)
    assert row.status == "failed"
    assert "not the one that its revision declares" in row.plans.get().steps.get(kind="backfill").reason
    assert ask(url, "SELECT count(total_cents) FROM orders") == [0]


def test_a_paused_rollout_does_not_go_on_once_its_approval_ran_out(scene, shop_at):
    row = scene.started(scene.approved(scene.propose(scene.target(shop_at("0010")))))
    rollout.pause(actor=scene.actor(scene.alice), rollout=row)
    rollout.progress(rollout_id=row.pk)
    Rollout.objects.filter(pk=row.pk).update(expires_at="2020-01-01T00:00Z")
    with pytest.raises(execute.TidegateError) as late:
        rollout.resume(actor=scene.actor(scene.alice), rollout=row)
    assert late.value.code == "expired"
