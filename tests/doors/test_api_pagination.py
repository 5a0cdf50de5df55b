"""Lists, a page at a time."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

from tests.doors import rows

PATH = "/api/v1/environments/"


def pages(client: APIClient, url: str | None) -> list[list[dict[str, Any]]]:
    found = []
    while url:
        body = client.get(url).json()
        found.append(body["results"])
        url = body["next"]
    return found


def test_every_row_is_on_exactly_one_page_also_with_ties(as_carol: APIClient) -> None:
    for name in "edcba":
        rows.environment(name, order=7)
    found = pages(as_carol, f"{PATH}?limit=2")
    assert [[row["name"] for row in page] for page in found] == [["a", "b"], ["c", "d"], ["e"]]


def test_a_row_that_comes_in_between_repeats_nothing(as_carol: APIClient) -> None:
    for name in "bdf":
        rows.environment(name)
    first = as_carol.get(f"{PATH}?limit=2").json()
    rows.environment("a")
    assert [row["name"] for row in as_carol.get(first["next"]).json()["results"]] == ["f"]


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=x", "cursor=x"])
def test_a_wrong_limit_or_cursor_is_refused(as_carol: APIClient, query: str) -> None:
    answer = as_carol.get(f"{PATH}?{query}")
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == "/" + query.partition("=")[0]


def test_the_cursor_of_another_list_is_refused(as_carol: APIClient) -> None:
    rows.environment("a")
    rows.environment("b")
    cursor = as_carol.get(f"{PATH}?limit=1").json()["next"].partition("cursor=")[2]
    assert as_carol.get(f"/api/v1/targets/?cursor={cursor}").status_code == 400
