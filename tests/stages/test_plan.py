"""Plans: from the target's live heads, in Alembic's order, with exact SQL, findings from its catalog, and a digest."""

import pytest

from migrations_app.errors import AmbiguousHeads, Conflict, Invalid, UnknownRevision, Unprocessable
from migrations_app.models import Rollout, Step
from migrations_app.stages import examine, plan
from tests.stages.conftest import alembic


def rules(row):
    steps = Step.objects.filter(plan__rollout=row)
    return {f["rule"] for step in steps for s in step.analysis.get("statements", []) for f in s["findings"]}


def test_a_plan_runs_from_the_live_heads_with_the_backfill_as_its_own_step(scene, shop_at, ask):
    url = shop_at("0006")
    target = scene.target(url)
    alembic(url, "0007")  # somebody else was faster than our last look
    row = scene.propose(target, to="0009")
    steps = Step.objects.filter(plan__rollout=row).values_list("kind", "revision__revision")
    assert list(steps) == [("revision", "0008"), ("backfill", "0008"), ("revision", "0009")]


def test_a_drop_of_a_column_with_data_waits_for_a_person(scene, shop_at):
    row = scene.propose(scene.target(shop_at("0010")))
    assert (row.status, row.dangerous, row.approvals_required) == ("awaiting_approval", True, 1)
    assert "drop-column" in rules(row)
    assert "drop-column" in row.approvals_reason


def test_a_drop_of_a_column_without_values_waits_for_nobody(scene, shop_at, ask):
    url = shop_at("0011")
    ask(url, "UPDATE customers SET legacy_ref = NULL")
    row = scene.propose(scene.target(url), to="0012")
    assert (row.status, row.dangerous) == ("approved", False)


def test_a_harmless_plan_needs_no_approval_and_says_why(scene, shop_at):
    row = scene.propose(scene.target(shop_at("0006")), to="+1")
    assert row.status == "approved"
    assert "nothing in it destroys" in row.reason


def test_a_plan_shows_exactly_the_sql_that_will_run(scene, shop_at):
    row = scene.propose(scene.target(shop_at("0010")), to="0011")
    assert Step.objects.get(plan__rollout=row).statements == ["ALTER TABLE orders DROP COLUMN total"]


def test_a_downgrade_shows_its_sql_and_is_judged_by_the_catalog(scene, shop_at):
    row = scene.propose(scene.target(shop_at("0013")), to="-1")
    step = Step.objects.get(plan__rollout=row)
    assert (row.status, step.direction, step.opaque) == ("approved", "down", "")
    assert step.statements[0] == "ALTER TABLE orders DROP COLUMN note"


def test_a_downgrade_that_gives_up_a_guarantee_needs_a_person(scene, shop_at):
    row = scene.propose(scene.target(shop_at("0009")), to="-1")
    step = Step.objects.get(plan__rollout=row)
    assert (row.status, step.analysis["hazards"]) == ("awaiting_approval", ["drop-constraint"])


def test_the_same_plan_twice_has_the_same_digest_and_another_author_another(scene, shop_at):
    target = scene.target(shop_at("0010"))
    first, second = scene.propose(target), scene.propose(target)
    assert first.digest == second.digest
    assert first.digest.startswith("sha256:")
    scene.alice = scene.root
    assert scene.propose(target).digest != first.digest


@pytest.mark.parametrize(
    ("to", "error", "says"),
    [("feed", UnknownRevision, "no revision feed"), ("0006", Unprocessable, "nothing to do"), ("+99", Invalid, "99")],
)
def test_an_impossible_destination_is_refused_and_nothing_is_kept(scene, shop_at, to, error, says):
    target = scene.target(shop_at("0006"))
    with pytest.raises(error, match=says):
        scene.propose(target, to=to)
    assert not Rollout.objects.exists()


def test_two_heads_and_head_are_refused_with_both_names(scene, shop_at, tmp_path):
    other = two_headed(scene, tmp_path)
    scene.project = other
    with pytest.raises(AmbiguousHeads, match=r"\(0013, 0013b\)"):
        scene.propose(scene.target(shop_at("0012")), to="head")


def two_headed(scene, tmp_path):
    import shutil

    from migrations_app.stages import discover
    from tests.stages.conftest import RECIPE, SHOP

    folder = shutil.copytree(SHOP, tmp_path / "shop")
    second = "revision = '0013b'\ndown_revision = '0012'\n\n\ndef upgrade():\n    pass\n"
    (folder / "migrations" / "versions" / "0013b_second.py").write_text(second)
    source = {"kind": "path", "path": str(folder)}
    return discover.create_project(actor=scene.actor(scene.root), slug="two", name="Two", source=source, **RECIPE)


def test_a_contract_revision_is_refused_while_its_backfill_is_missing(scene, shop_at, ask):
    url = shop_at("0008")
    ask(url, "UPDATE orders SET total_cents = NULL WHERE id = 1")
    target = scene.target(url)
    with pytest.raises(Unprocessable, match="requires the backfill of 0008"):
        scene.propose(target, to="0009")
    ask(url, "UPDATE orders SET total_cents = 1 WHERE id = 1")
    assert scene.propose(target, to="0009").status == "approved"


def test_a_busy_target_is_refused_with_the_rollout_that_holds_it(scene, shop_at):
    target = scene.target(shop_at("0006"))
    running = scene.started(scene.propose(target, to="0007"))
    with pytest.raises(Conflict, match=running.pk):
        scene.propose(target, to="0007")


def test_targets_and_selectors_are_checked(scene, shop_at):
    scene.target(shop_at("0006"), labels={"team": "a"})
    selected = plan.create_rollout(
        actor=scene.actor(scene.alice),
        author=scene.alice,
        project=scene.project,
        selector={"environment": "production", "labels": {"team": "a"}},
        to="0007",
        purpose="x",
    )
    assert selected.target_slugs() == ["shop-1"]
    with pytest.raises(Invalid, match="each target"):
        scene.propose(to="0007", waves=[["shop-1"], ["shop-1"]])


def test_pending_tells_order_level_and_danger(scene, shop_at):
    target = scene.target(shop_at("0010"))
    found = examine.pending(actor=scene.actor(scene.alice), target=target)
    assert [(item["revision"], item["dangerous"]) for item in found] == [
        ("0011", True),
        ("0012", True),
        ("0013", False),
    ]
