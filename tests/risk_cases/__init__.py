"""Labelled inputs for the risk engine, as JSON lines by theme.

A line is a case of `bench/risk_cases.py` with `expect` (what is true of it), `note` (why) and at times `min_version`
(the oldest PostgreSQL that it runs on). In `expect`:

- `hazards`: the ids of every rule of severity danger or hazard that applies, `optional` those on which people differ;
- `dangerous`: whether somebody has to approve it;
- `lock`: the strongest lock on a table, partitioned table, view or materialized view that was there before, or null;
- `rewrite`: whether the file of such a table is written anew (TRUNCATE does not count: nothing is written);
- `fails`: the SQLSTATE with which PostgreSQL refuses it, if it does.

`test_labels.py` runs every case and holds the labels against what PostgreSQL did.
"""

from __future__ import annotations

from pathlib import Path

from bench.cases import Case, read

HERE = Path(__file__).parent


def lines() -> list[str]:
    """All cases, theme by theme."""
    return [line for path in sorted(HERE.glob("*.jsonl")) for line in path.read_text(encoding="utf-8").splitlines()]


def cases(server_major: int) -> list[Case]:
    """Those that run on this version of PostgreSQL."""
    return [case for case in map(read, lines()) if case.min_version <= server_major]
