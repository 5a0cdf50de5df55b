"""Reading a history and planning on it, under the project's own interpreter."""

import pytest

from migrations_app.engines.runner import spawn
from migrations_app.errors import AmbiguousHeads, Invalid, ProjectBroken, UnknownRevision
from tests.engines.histories import launch, lay, project


def read(p):
    return spawn.history(p.launch, p.bundle)


def plan(p, current, *destination, direction="upgrade"):
    return spawn.plan(p.launch, p.bundle, current=current, destination=destination, direction=direction).revisions


def test_a_history_comes_in_the_order_in_which_alembic_would_run_it(tmp_path):
    found = read(project(tmp_path, "linear"))
    assert [r.revision for r in found.revisions] == ["001", "002", "003"]
    assert (found.heads, found.bases, found.version_table) == (("003",), ("001",), "alembic_version")
    second = found.by_id["002"]
    assert (second.message, second.path) == ("Add a price", "migrations/versions/002_price.py")
    assert (second.down_revisions, second.is_head, second.is_base) == (("001",), False, False)


def test_labels_dependencies_and_merges_are_read(tmp_path):
    found = read(project(tmp_path, "branches"))
    assert found.by_id["a1"].branch_labels == ("accounts",)
    assert found.by_id["b1"].depends_on == ("a1",)
    assert found.by_id["c1"].down_revisions == ("a1", "b2")
    assert (found.heads, found.bases) == (("c1",), ("a1", "b1"))


def test_a_plan_is_what_alembic_itself_would_run(tmp_path):
    linear = project(tmp_path, "linear")
    queries = [((), ("heads",)), (("001",), ("+1",)), (("003",), ("003",)), (("001",), ("002", "003"))]
    answers = spawn.plans(linear.launch, linear.bundle, [spawn.Query(*q) for q in queries])
    assert [a.revisions for a in answers] == [("001", "002", "003"), ("002",), (), ("002", "003")]
    assert plan(linear, ["003"], "-2", direction="downgrade") == ("003", "002")


def test_one_head_of_two_must_be_chosen(tmp_path):
    heads = project(tmp_path, "heads")
    with pytest.raises(AmbiguousHeads, match="left, right"):
        plan(heads, [], "head")
    assert set(plan(heads, ["root"], "heads")) == {"left", "right"}
    assert plan(heads, ["left"], "left", "right") == ("right",)


def test_unknown_revisions_say_whose_they_are(tmp_path):
    linear = project(tmp_path, "linear")
    with pytest.raises(UnknownRevision, match="The target is at deadbeef"):
        plan(linear, ["deadbeef"], "heads")
    with pytest.raises(UnknownRevision, match="The history has no revision 999"):
        plan(linear, ["001"], "999")
    with pytest.raises(Invalid, match="cannot be reached"):
        plan(linear, ["003"], "+4")


def test_version_locations_that_env_py_sets_and_that_lie_elsewhere_get_into_the_bundle(tmp_path):
    source = lay(tmp_path / "source", "linear", "located")
    elsewhere = (source / "migrations" / "versions").rename(tmp_path / "elsewhere")
    recipe = launch(env={"REVISIONS": str(elsewhere)})
    made = spawn.collect(recipe, source)
    folder = spawn.bundles.unpack(made.archive, made.digest, tmp_path / "bundles")
    (elsewhere / "001_items.py").write_text("raise RuntimeError('changed since')")
    assert spawn.history(recipe, folder).revisions[0].path == "scripts/0/001_items.py"


def test_an_env_py_without_offline_mode_does_not_hide_the_history(tmp_path):
    found = read(project(tmp_path, "linear", "raises"))
    assert found.heads == ("003",)
    assert found.env_error == "RuntimeError: no settings for postgresql://app:***@db/shop at migrations/env.py:1"


def test_a_revision_that_does_not_load_is_named_with_its_line(tmp_path):
    source = lay(tmp_path, "linear")
    (source / "migrations" / "versions" / "003_discount.py").write_text("import sys\n\nimport shop_models_xyz\n")
    with pytest.raises(ProjectBroken, match=r"ModuleNotFoundError.*003_discount\.py:3"):
        spawn.history(launch(), source)


def test_the_hook_runs_first_and_wraps_alembic(tmp_path):
    hook = (
        "import sys, types\n"
        "def prelude(): sys.modules['shop_models_xyz'] = types.ModuleType('shop_models_xyz')\n"
        "def configure(cfg, url): cfg.set_main_option('script_location', '{bundle}/moved')\n"
        "def run(fn):\n    import threading\n    t = threading.Thread(target=fn); t.start(); t.join()\n"
    )
    source = lay(tmp_path, "linear")
    (source / "migrations" / "env.py").write_text("import shop_models_xyz\n")
    (source / "migrations").rename(source / "moved")
    assert spawn.history(launch(hook=hook), source).env_error is None


def test_a_project_that_hangs_is_ended(tmp_path):
    source = lay(tmp_path, "linear", "lingers")
    with pytest.raises(ProjectBroken, match="did not answer within 2 s"):
        spawn.history(launch(), source, limits=spawn.Limits(read_wall_s=2))
