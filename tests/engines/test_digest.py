"""The digest: equal for equal inputs, different for any change, and the change has a name."""

import pytest

from migrations_app.engines import digest

INPUTS = {
    "kind": "rollout",
    "author": "alice",
    "bundle": "sha256:1",
    "revisions": [["a1", "x"]],
    "parameters": {"soak_s": 0},
    "sql": "sha256:2",
}


def test_the_order_of_keys_and_tuples_for_lists_do_not_matter():
    turned = dict(reversed(INPUTS.items()))
    assert digest.of(turned) == digest.of({**INPUTS, "revisions": (("a1", "x"),)})


@pytest.mark.parametrize("name", sorted(INPUTS))
def test_every_input_counts_and_is_named(name):
    other = {**INPUTS, name: "other"}
    assert digest.of(other) != digest.of(INPUTS)
    assert digest.changed(INPUTS, other) == (digest.NAMES[name],)


def test_nothing_changed_names_nothing():
    assert digest.changed(INPUTS, dict(INPUTS)) == ()
