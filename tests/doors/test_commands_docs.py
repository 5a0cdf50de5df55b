"""docs/reference says what there is: every command with its options and codes, every setting with its default."""

from __future__ import annotations

import argparse
import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import load_command_class

from migrations_app.management.checkup import SETTINGS
from migrations_app.management.exits import Exit
from tests.architecture.tree import APP, ROOT, python, tree

REFERENCE = ROOT / "docs" / "reference"
COMMANDS = sorted(path.stem for path in (APP / "management" / "commands").glob("[!_]*.py"))
DJANGOS_OWN = {"--help", "--version", "--verbosity", "--settings", "--pythonpath", "--traceback", "--no-color"}
EVERYWHERE = DJANGOS_OWN | {"--force-color", "--skip-checks", "--json", "--as"}
PAGE = (REFERENCE / "commands.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## `(\w+)`\n(.*?)(?=^## |\Z)", PAGE, re.M | re.S))


def parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from parsers(below)


def test_every_command_has_its_section_and_no_other() -> None:
    assert sorted(SECTIONS) == COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_and_verb_of_a_command_is_told(command: str) -> None:
    top = load_command_class("migrations_app", command).create_parser("manage.py", command)
    options = {name for each in parsers(top) for name in each._option_string_actions if name.startswith("--")}
    verbs = {each.prog.split()[-1] for each in parsers(top)} - {command}
    told = SECTIONS[command]
    assert {name for name in options - EVERYWHERE if not re.search(rf"{name}\b(?!-)", told)} == set()
    assert {name for name in verbs if not re.search(rf"\b{name}\b", told)} == set()
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", told)) <= options


def test_every_exit_code_is_told() -> None:
    assert [int(code) for code in re.findall(r"^\| (\d) \|", PAGE, re.M)] == [code.value for code in Exit]


ROWS = re.findall(
    r"^\| `(TIDEGATE_\w+)` \| (.*?) \| .+ \|$", (REFERENCE / "settings.md").read_text(encoding="utf-8"), re.M
)


def reads(path: Path) -> Iterator[tuple[str, ast.Call]]:
    """Each call that reads a variable TIDEGATE_..., as in env.int("TIDEGATE_X") or environ.get("TIDEGATE_X")."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            name = node.args[0].value
            if isinstance(name, str) and re.fullmatch(r"TIDEGATE_[A-Z_]*[A-Z]", name):
                yield name, node


def read_by(*folders: str) -> set[str]:
    return {name for path in python(*folders) for name, _ in reads(path)}


def test_every_setting_that_the_source_reads_is_told_and_no_other() -> None:
    assert sorted(name for name, _ in ROWS) == sorted(read_by("controlplane", "migrations_app", "clients"))


def test_the_doctor_knows_every_setting_of_the_server() -> None:
    assert read_by("controlplane", "migrations_app") == SETTINGS


def test_every_plain_default_is_told() -> None:
    told = dict(ROWS)
    for name, call in reads(ROOT / "controlplane" / "settings.py"):
        for keyword in call.keywords:
            if keyword.arg == "default" and isinstance(keyword.value, ast.Constant):
                assert told[name] == f"`{keyword.value.value}`"
