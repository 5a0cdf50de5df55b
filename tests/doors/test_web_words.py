"""Numbers, charts, code and verdicts as the pages spell them; no database needed."""

from __future__ import annotations

from typing import Any

import pytest

from migrations_app.models import Revision
from migrations_app.web import sql
from migrations_app.web.figures import grouped, how_long, how_many, how_much
from migrations_app.web.pieces import Piece, way_back
from migrations_app.web.sparkline import MOST_POINTS, sparkline, thin
from migrations_app.web.verdict import verdict


def piece(*findings: dict[str, Any], source: str = "", opaque: str = "", **statement: Any) -> Piece:
    found = {"sql": "ALTER TABLE t", "lock": "ACCESS EXCLUSIVE", "findings": list(findings), **statement}
    revision = Revision(revision="0012", source=source, position=0)
    return Piece(revision, "revision", "up", ["ALTER TABLE t"], opaque, {"statements": [found]}, "shop")


def finding(severity: str, message: str, **evidence: Any) -> dict[str, Any]:
    return {"rule": "x", "severity": severity, "message": message, "evidence": evidence}


def test_the_worst_finding_leads_with_its_size() -> None:
    found = verdict(
        [piece(finding("advice", "queues")), piece(finding("danger", "drops column a", rows=41_000_000, bytes=2**30))],
        targets_count=1,
    )
    assert (found.tone, found.headline) == ("danger", "Drops column a on shop.")
    assert found.facts[0] == "About 41.0 million rows, 1.0 GiB."


def test_a_downgrade_never_undoes_a_loss() -> None:
    source = "def downgrade():\n    op.add_column('t', 'a')\n"
    found = verdict([piece(finding("danger", "drops it"), source=source)], targets_count=1)
    assert "Cannot be undone: the downgrade restores the structure, not the values." in found.facts


def test_a_verdict_hides_nothing_in_its_own_words() -> None:
    found = verdict([piece(finding("danger", "drops \u202ea", rows=200_000))], targets_count=1)
    assert found.headline == "Drops [U+202E]a on shop."
    assert found.facts[0] == "About 200\u202f000 rows."


def test_a_hazard_is_a_warning_and_counts_the_others() -> None:
    found = verdict([piece(finding("hazard", "scans"), finding("hazard", "rewrites"), rewrite=True)], targets_count=2)
    assert (found.tone, found.headline) == ("warn", "Scans on 2 targets.")
    assert "Rewrites the whole table." in found.facts
    assert "Also found: 1 hazard." in found.facts


def test_opaque_code_is_never_harmless() -> None:
    assert verdict([piece(opaque="it asks")], targets_count=1).tone == "danger"
    assert verdict([piece()], targets_count=1).tone == "ok"
    assert verdict([], targets_count=1).headline == "Changes nothing on 1 target."


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("def downgrade():\n    pass", "does nothing"),
        ('def downgrade():\n    """Nothing to undo."""', "does nothing"),
        ("def downgrade():\n    raise ValueError(0)", "refuses"),
        ("def downgrade():\n    op.drop_table('t')", "has one"),
        ("def upgrade():\n    pass", "none"),
        ("def (", "unknown"),
    ],
)
def test_the_way_back_is_read_from_the_source(source: str, told: str) -> None:
    assert way_back(source) == told


def test_sql_is_shown_byte_for_byte() -> None:
    text = "  SELECT 1;\r\n\r\n\t-- <b> & 'é'\n\n"
    shown = sql.sql(text)
    plain = shown.replace("&lt;", "<").replace("&gt;", ">").replace("&#x27;", "'").replace("&amp;", "&")
    for box in ('<mark class="hidden-char" title="CONTROL CHARACTER">U+000D</mark>',):
        plain = plain.replace(box, "\r")
    while "<span" in plain:
        start = plain.index("<span")
        plain = plain[:start] + plain[plain.index(">", start) + 1 :].replace("</span>", "", 1)
    assert plain == text


def test_letters_of_other_languages_are_not_boxed() -> None:
    assert sql.boxed("größer 数据 🚀") == "größer 数据 🚀"
    assert not sql.has_hidden("größer 数据")
    assert sql.has_hidden("no\u00a0break")


def test_code_of_any_length_is_shown_to_its_end() -> None:
    assert sql.sql("x" * (sql.COLOURED_CHARS + 10)).count("x") == sql.COLOURED_CHARS + 10


def test_numbers_are_grouped_and_rounded_for_people() -> None:
    assert grouped(12_430_112) == "12\u202f430\u202f112"
    assert how_many(1, "row") == "1 row"
    assert how_many(41_000_000, "row") == "41.0 million rows"
    assert [how_much(size) for size in (None, 12, 90_000, 9_878_424_330)] == ["", "12 B", "87.9 KiB", "9.2 GiB"]
    assert [how_long(s) for s in (0, 0.04, 2, 8.44, 59, 200, 3600, 7500, 90_000)] == [
        *("0 s", "40 ms", "2 s", "8.4 s", "59 s", "3 min 20 s", "1 h", "2 h 5 min", "1 d 1 h"),
    ]


def test_a_peak_survives_thinning() -> None:
    values: list[float | None] = [0.0] * 5_000
    values[1234] = 9.0
    thinned = thin(values)
    assert len(thinned) <= MOST_POINTS
    assert max(value for value in thinned if value is not None) == 9.0


def test_the_limit_stays_in_sight_of_a_chart() -> None:
    chart = sparkline([0.1, 0.2], limit=2.0)
    assert chart.limit_y is not None
    assert 0 < chart.limit_y < chart.height
    assert sparkline([]).lines == ()
    assert len(sparkline([1.0, None, 2.0]).lines) == 2
