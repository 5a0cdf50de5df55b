"""SQL without a database: the whole of it, or the reason why not."""

from migrations_app.engines.runner import spawn
from tests.engines.histories import project


def sql(p, *revisions):
    return spawn.offline_sql(p.launch, p.bundle, revisions)


def test_sql_is_exact_and_without_the_version_table(tmp_path):
    found = sql(project(tmp_path, "linear"), "002", "001")
    assert found["002"].statements == (
        "ALTER TABLE items ADD COLUMN price INTEGER",
        "INSERT INTO items (name) VALUES ('100% new: it''s :fine')",
    )
    assert "alembic_version" not in found["001"].sql
    assert found["001"].opaque is None


def test_autocommit_blocks_are_marked(tmp_path):
    found = sql(project(tmp_path, "concurrent"), "c2")["c2"]
    assert found.statements[0] == "CREATE INDEX CONCURRENTLY ix_wide_n ON wide (n)"
    assert found.autocommit == (True, True)


def test_merges_run_nothing(tmp_path):
    assert sql(project(tmp_path, "branches"), "c1")["c1"].sql == ""


def test_what_needs_a_database_is_opaque_and_shows_no_part(tmp_path):
    found = sql(project(tmp_path, "opaque"), "o1", "o2", "o3", "o4", "o5")
    assert "reads rows" in found["o1"].opaque
    assert "inspects the catalog" in found["o2"].opaque
    assert "asks for the offline mode" in found["o3"].opaque
    assert "passes parameters" in found["o4"].opaque
    assert all(found[r].statements == () for r in ("o1", "o2", "o3", "o4"))
    assert found["o5"].statements == ("CREATE TABLE o5 ()",)


def test_an_env_py_without_offline_mode_makes_all_opaque(tmp_path):
    found = sql(project(tmp_path, "linear", "own_engine", url={"env": ["SHOP_URL"]}), "001")["001"]
    assert found.opaque.startswith("env.py does not run without a database")


def test_the_way_down_is_rendered_too(tmp_path):
    found = sql(project(tmp_path, "linear"), "001", "002")
    assert found["002"].down.statements == ("ALTER TABLE items DROP COLUMN price",)
    assert found["001"].down.statements == ("DROP TABLE items",)
