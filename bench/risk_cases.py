"""Judges many inputs by the risk engine, each against a scratch database of its own, and scores the verdicts.

    python bench/risk_cases.py --cases FILE.jsonl --database-url ADMIN_URL --out OUT.jsonl [--score]

A line in is `{"id", "kind": "sql"|"alembic", "setup", "upgrade", "downgrade"?, "transactional"?}`; a line out
`{"id", "hazards", "dangerous", "lock", "rewrite", "level"}` with "opaque" and "fails" where there are any, or
`{"id", "error"}`. `--score` compares with the `expect` of the lines in. ADMIN_URL is a role that may create databases.
"""

from __future__ import annotations

import json
import sys
import time
from argparse import ArgumentParser, Namespace
from contextlib import suppress
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench import case_scores, cases

USAGE = 4


def main() -> int:
    options = _options()
    began = time.monotonic()
    try:
        lines = [line for path in options.cases for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        print(f"The cases cannot be read: {error}", file=sys.stderr)
        return USAGE
    answers = cases.judge_all(lines, partial(cases.scratch_database, options.database_url), workers=options.workers)
    with options.out.open("w", encoding="utf-8") as out:
        out.writelines(json.dumps(answer, ensure_ascii=False) + "\n" for answer in answers)
    errors = sum("error" in answer for answer in answers)
    print(f"{len(answers)} cases in {time.monotonic() - began:.1f} s, {errors} of them could not be judged")
    if options.score:
        print("\n".join(case_scores.score(_readable(lines), {answer["id"]: answer for answer in answers}).lines()))
    return 0


def _readable(lines: list[str]) -> list[cases.Case]:
    found = []
    for line in lines:
        with suppress(ValueError):
            found.append(cases.read(line))
    return found


def _options() -> Namespace:
    parser = ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--cases", type=Path, required=True, nargs="+", help="JSON lines, one case each")
    parser.add_argument("--database-url", required=True, help="where the role may create scratch databases")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--score", action="store_true", help="print L1 to L4 by the labels, and each disagreement")
    parser.add_argument("--workers", type=int, default=cases.WORKERS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
