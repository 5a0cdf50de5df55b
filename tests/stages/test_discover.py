"""Projects: a folder becomes an immutable bundle whose history is read; what does not load leaves nothing."""

import shutil
import sys

import pytest

from migrations_app.errors import Invalid, ProjectBroken
from migrations_app.models import Bundle, Project
from migrations_app.stages import discover
from tests.stages.conftest import RECIPE, SHOP


def create(scene, path, slug="other", **recipe):
    return discover.create_project(
        actor=scene.actor(scene.root), slug=slug, name=slug, source={"kind": "path", "path": str(path)}, **recipe
    )


def append(folder, text):
    path = folder / "migrations" / "versions" / "0013_say_what_the_cents_are.py"
    path.write_text(path.read_text() + text)


def test_the_history_is_read_in_order_with_exact_sql(scene):
    rows = list(scene.project.bundle.revisions.in_order())
    assert [row.revision for row in rows] == [f"{number:04}" for number in range(1, 14)]
    assert rows[10].statements == ["ALTER TABLE orders DROP COLUMN total"]
    assert rows[3].autocommit == [True]
    assert all(row.status == "analysed" for row in rows)


def test_what_a_revision_declares_is_read_without_running_it(scene):
    declared = scene.project.bundle.revisions.get(revision="0008").backfill
    assert declared["table"] == "orders"
    assert scene.project.bundle.revisions.get(revision="0009").requires["backfills"] == ["0008"]


def test_the_same_files_are_the_same_bundle_and_a_change_is_a_new_one(scene, tmp_path):
    folder = shutil.copytree(SHOP, tmp_path / "shop")
    project = create(scene, folder, **RECIPE)
    bundle, is_new = discover.sync(actor=scene.actor(scene.alice), project=project)
    assert (bundle.digest, is_new) == (project.bundle.digest, False)
    append(folder, "\n# a change\n")
    changed, is_new = discover.sync(actor=scene.actor(scene.alice), project=project)
    assert is_new
    assert changed.digest != bundle.digest


def test_an_uploaded_archive_becomes_the_bundle(scene):
    archive = bytes(scene.project.bundle.archive)
    bundle, is_new = discover.sync(actor=scene.actor(scene.alice), project=scene.project, archive=archive)
    assert (bundle.digest, is_new) == (scene.project.bundle.digest, False)


@pytest.mark.parametrize(
    ("spoil", "error", "says"),
    [
        (lambda folder: (folder / "alembic.ini").unlink(), Invalid, "no alembic.ini"),
        (lambda folder: (folder / "migrations/env.py").write_text("import nowhere"), ProjectBroken, "nowhere"),
        (lambda folder: (folder / "migrations/versions/0099.py").write_text("def ("), ProjectBroken, "0099"),
    ],
)
def test_a_project_that_does_not_load_leaves_nothing(scene, tmp_path, spoil, error, says):
    folder = shutil.copytree(SHOP, tmp_path / "shop")
    spoil(folder)
    with pytest.raises(error, match=says):
        create(scene, folder, **RECIPE)
    assert Project.objects.count() == Bundle.objects.count() == 1


def test_a_wrong_recipe_is_named_by_field(scene):
    with pytest.raises(Invalid) as refused:
        create(scene, SHOP, python=[sys.executable], url={"ini": "yes"})
    assert refused.value.errors[0].pointer == "/url/ini"
    with pytest.raises(Invalid, match="whole path"):
        create(scene, "demo/shop", **RECIPE)


def test_a_malformed_declaration_is_refused_with_its_file(scene, tmp_path):
    folder = shutil.copytree(SHOP, tmp_path / "shop")
    append(folder, '\ntidegate_backfill = {"tabel": "orders"}\n')
    with pytest.raises(Invalid, match=r"0013_say_what_the_cents_are\.py.*tabel"):
        create(scene, folder, **RECIPE)
