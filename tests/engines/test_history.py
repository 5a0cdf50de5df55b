r"""Where a target stands in a history with branches:

a - b - d (merge) - e        x depends on b
 \- c -/
x
"""

import pytest

from migrations_app.engines.history import applied, heads, standing

PARENTS = {"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"], "e": ["d"], "x": ["b"]}


@pytest.mark.parametrize(
    ("rows", "expected"),
    [((), set()), (("c",), {"a", "c"}), (("d",), {"a", "b", "c", "d"}), (("x",), {"a", "b", "x"})],
)
def test_what_the_version_table_proves(rows, expected):
    assert applied(PARENTS, rows) == expected


def test_heads_are_what_nothing_else_stands_on():
    assert heads(PARENTS, {"a", "b", "c"}) == {"b", "c"}
    assert heads(PARENTS, PARENTS) == {"e", "x"}


@pytest.mark.parametrize(
    ("current", "state", "pending"),
    [
        (("e", "x"), "at_head", 0),
        (("e",), "behind", 1),
        ((), "behind", 6),
        (None, "unversioned", 6),
        (("z",), "unknown_revision", None),
    ],
)
def test_where_a_target_stands(current, state, pending):
    found = standing(PARENTS, current, has_tables=False)
    assert (found.state, found.pending) == (state, pending)


def test_a_database_with_tables_and_no_version_table_is_warned_of():
    assert "adopt it" in standing(PARENTS, None, has_tables=True).reason
