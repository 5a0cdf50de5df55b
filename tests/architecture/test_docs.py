"""What the pages say is there, is there: links, headings, commands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from migrations_app.models import status
from tests.architecture.tree import APP, ROOT, files, short

LINK = re.compile(r"(?:\]\(|src=\"|srcset=\")([^)\s\"]+)")
# What a reader would type stands in an indented block, or in backticks.
MAKE = re.compile(r"(?:^    |`)make ([a-z][a-z-]*)\b", re.M)
COMMAND = re.compile(r"(?:^    |`).*manage\.py ([a-z_]+)", re.M)
DJANGOS_OWN = {"check", "collectstatic", "createsuperuser", "makemigrations", "migrate", "runserver", "shell"}
PAGES = sorted(files(".md"))


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=short)
def test_every_link_leads_somewhere(page: Path) -> None:
    broken = []
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        path, _, anchor = link.partition("#")
        place = (page.parent / path).resolve() if path else page
        if not link.startswith(("http:", "https:", "mailto:")) and (
            not place.exists() or (anchor and anchor not in anchors(place))
        ):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=short)
def test_every_command_exists(page: Path) -> None:
    code = page.read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    commands = {path.stem for path in (APP / "management" / "commands").glob("[!_]*.py")} | DJANGOS_OWN
    assert set(MAKE.findall(code)) <= targets
    assert set(COMMAND.findall(code)) <= commands


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, todo = set(), [ROOT / "README.md"]
    while todo:
        page = todo.pop().resolve()
        if page.suffix == ".md" and page.exists() and page not in reached:
            reached.add(page)
            links = LINK.findall(page.read_text(encoding="utf-8"))
            todo += [page.parent / link.partition("#")[0] for link in links if not link.startswith("http")]
    assert [short(page) for page in PAGES if page.resolve() not in reached] == []


@pytest.mark.parametrize(
    "edges", ["REVISION_EDGES", "ROLLOUT_EDGES", "STEP_EDGES", "BACKFILL_EDGES", "REHEARSAL_EDGES"]
)
def test_the_reference_lists_exactly_the_moves_that_there_are(edges: str) -> None:
    title = f"## A {edges.removesuffix('_EDGES').lower()}\n"
    page = (ROOT / "docs" / "reference" / "statuses.md").read_text(encoding="utf-8")
    section = page.partition(title)[2].partition("\n## ")[0]
    rows = dict(re.findall(r"^\| (\w+ \| \w+) \| (.+) \|$", section, re.M))
    drawn = re.findall(r"^    (\w+) --> (\w+)$", section, re.M)
    moves = getattr(status, edges)
    assert {tuple(move.split(" | ")): who for move, who in rows.items() if move != "from | to"} == moves
    assert set(drawn) == set(moves)


@pytest.mark.parametrize("thing", ["Rollout", "Step", "Backfill", "Rehearsal"])
def test_the_glossary_says_what_every_status_means(thing: str) -> None:
    page = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    section = page.partition(f"## Statuses of a {thing.lower()}\n")[2].partition("\n## ")[0]
    told = set(re.findall(r"^\| (\w+) \|", section, re.M)) - {"status"}
    assert told == set(getattr(status, f"{thing}Status").values)
