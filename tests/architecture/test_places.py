"""Everything has its place: a template for each status, examples for each rule, a line on the map for each file."""

from __future__ import annotations

import re

import pytest

from migrations_app.models.status import BackfillStatus, RehearsalStatus, RolloutStatus, StepStatus
from tests.architecture.tree import APP, CODE, ROOT, files, python, short

DRAWERS = {"utils", "util", "helpers", "helper", "base", "common", "misc"}
UNFINISHED = re.compile(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "XX" + "X", "NotImplemented" + "Error"]) + r")\b")
MACHINE_PATH = re.compile(r"(?<![\w.$}])/(work|root|farm)/|/home/[a-z]|/tmp/[a-z]\w+/")
TEXT = (".py", ".html", ".css", ".js", ".md", ".sql", ".toml", ".yml", ".yaml", ".ini", ".txt", ".in", "Makefile")
RULES = APP / "engines" / "risk" / "rules"


@pytest.mark.parametrize(
    ("thing", "statuses"),
    [
        ("rollout", RolloutStatus),
        ("step", StepStatus),
        ("backfill", BackfillStatus),
        ("rehearsal", RehearsalStatus),
    ],
)
def test_every_status_has_its_template(thing: str, statuses: type) -> None:
    folder = ROOT / "templates" / "status" / thing
    assert {path.stem for path in files(".html", under=folder)} == {f"_{status.value}" for status in statuses}


def test_every_rule_has_its_examples_and_every_example_its_rule() -> None:
    examples = ROOT / "tests" / "rules"
    rules = {path.stem.replace("_", "-") for path in RULES.glob("[!_]*.py")}
    folders = {path.name: {file.name for file in path.iterdir()} for path in examples.iterdir() if path.is_dir()}
    folders.pop("__pycache__", None)
    assert rules, "no rule was found: has their folder moved?"
    assert set(folders) == rules
    pairs = ({"bad.sql", "good.sql"}, {"bad.py", "good.py"})
    assert {rule for rule, names in folders.items() if not any(pair <= names for pair in pairs)} == set()


def test_the_map_names_every_file_and_no_other() -> None:
    named, folder = set(), ""
    for line in (APP / "README.md").read_text(encoding="utf-8").splitlines():
        if heading := re.match(r"#+ `migrations_app/(.*)`", line):
            folder = heading[1]
        elif entry := re.match(r"- `([\w/.-]+\.py)`", line):
            named.add(folder + entry[1])
    found = {path.relative_to(APP).as_posix() for path in python("migrations_app") if path.name != "__init__.py"}
    assert named == {name for name in found if not name.startswith("engines/risk/rules/")}


def test_no_module_is_a_drawer() -> None:
    modules = {path: {path.stem, *path.relative_to(ROOT).parts[:-1]} for path in python()}
    assert [short(path) for path, names in modules.items() if names & DRAWERS] == []


@pytest.mark.parametrize("wrong", [UNFINISHED, MACHINE_PATH], ids=["unfinished", "machine path"])
def test_no_line_is_unfinished_or_names_a_machine(wrong: re.Pattern[str]) -> None:
    ours = [path for name in (*CODE, "docs", "templates") for path in files(*TEXT, under=ROOT / name)]
    ours += [path for path in ROOT.iterdir() if path.is_file() and path.name.endswith(TEXT)]
    found = [
        f"{short(path)}:{number} {line.strip()[:80]}"
        for path in ours
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if wrong.search(line)
    ]
    assert found == []
