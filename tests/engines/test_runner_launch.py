"""Recipes, and what revisions declare."""

import pytest

from migrations_app.engines.runner.declared import declarations, read_revision
from migrations_app.engines.runner.launch import Launch, fill
from migrations_app.engines.runner.redact import Redactor
from migrations_app.errors import Invalid
from tests.engines.histories import HERE

PYTHON = {"python": ["/srv/shop/bin/python"]}


@pytest.mark.parametrize(
    ("recipe", "pointer"),
    [
        ({}, "/python"),
        ({"python": "python"}, "/python"),
        ({**PYTHON, "url": {"env": "SHOP_URL"}}, "/url/env"),
        ({**PYTHON, "url": {"environment": []}}, "/url/environment"),
        ({**PYTHON, "env": {"A B": "x"}}, "/env"),
        ({**PYTHON, "env": {"PGPASSFILE": "x"}}, "/env"),
        ({**PYTHON, "x_args": ["url=postgresql://{user}:{password}@{host}/{db}"]}, "/x_args/0"),
        ({**PYTHON, "files": {"../../etc/passwd": "x"}}, "/files"),
        ({**PYTHON, "hook": "def prelude(: pass"}, "/hook"),
        ({**PYTHON, "colour": "red"}, "/colour"),
    ],
)
def test_a_wrong_recipe_names_the_field(recipe, pointer):
    with pytest.raises(Invalid) as refused:
        Launch.from_json(recipe)
    assert refused.value.errors[0].pointer == pointer


def test_a_recipe_survives_being_stored():
    launch = Launch.from_json({**PYTHON, "url": {"env": ["A"], "ini": False}, "files": {"a/b.ini": "{url}"}})
    assert Launch.from_json(launch.to_json()) == launch


def test_only_known_placeholders_are_filled():
    assert fill("{url} {'a': {b}} {password}", {"url": "U", "password": "P"}) == "U {'a': {b}} P"


def test_declarations_are_read_without_running_the_revision():
    found = read_revision(HERE / "versions" / "linear" / "002_price.py")
    assert found.backfill == {"table": "items", "set": {"price": "0"}, "where": "price IS NULL"}
    assert (found.requires, len(found.sha256)) == (None, 64)


@pytest.mark.parametrize("value", ["make()", "[1]", "{1: 2}", "dict(table='x')"])
def test_a_declaration_that_is_no_literal_is_named_with_its_line(value):
    with pytest.raises(Invalid, match=r"x\.py:2: tidegate_requires"):
        declarations(f"import os\ntidegate_requires = {value}\n", "x.py")


def test_secrets_are_hidden_in_each_spelling():
    redactor = Redactor(["p@ss word"])
    assert redactor.value({"a": ["p@ss word p%40ss%20word p%%40ss"]}) == {"a": ["*** *** p%%40ss"]}
    assert redactor.text("postgresql+psycopg://app:other@db/x") == "postgresql+psycopg://app:***@db/x"
