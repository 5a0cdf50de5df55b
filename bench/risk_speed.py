"""How fast the static layer judges SQL, against squawk on the same files in the same run (L5).

    python bench/risk_speed.py [--statements 60000] [--rounds 5] [--out OUT.json]

Three files, made here with a fixed seed: `rows` is what most large files are (inserts and changes by key), `mixed` has
a tenth of DDL among them, `ddl` has nothing but DDL and bulk changes with names of their own. squawk is started with
its JSON reporter, into nothing: its usual one takes minutes over a file with many findings. Runs are interleaved,
medians are told. Our time is that of `verdict.analyse` in a process that has loaded the rules; squawk's is that of its
process.
"""

from __future__ import annotations

import json
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from migrations_app.engines.risk import parser, verdict

TABLES = ("users", "orders", "order_lines", "accounts", "events", "invoices", "sessions", "app.log")
COLUMNS = ("email", "name", "age", "price", "state", "created_at", "note", "org_id")
ROWS = (
    "INSERT INTO {t} (id, {c}, created_at) VALUES ({n}, 'word {n}', now())",
    "INSERT INTO {t} (id, {c}) VALUES ({n}, 'a'), ({n}1, NULL), ({n}2, 'it''s')",
    "UPDATE {t} SET {c} = 'x{n}' WHERE id = {n}",
    "DELETE FROM {t} WHERE id = {n}",
)
DDL = (
    "ALTER TABLE {t} ADD COLUMN c{n} text",
    "ALTER TABLE {t} ADD COLUMN c{n} integer DEFAULT 0 NOT NULL",
    "ALTER TABLE {t} DROP COLUMN {c}",
    "ALTER TABLE {t} ALTER COLUMN {c} SET NOT NULL",
    "ALTER TABLE {t} ALTER COLUMN {c} TYPE bigint",
    "CREATE INDEX ix_{n} ON {t} ({c})",
    "CREATE INDEX CONCURRENTLY IF NOT EXISTS ixc_{n} ON {t} ({c}, id)",
    "CREATE TABLE t{n} (id bigserial PRIMARY KEY, {c} text NOT NULL, org_id integer REFERENCES orgs (id))",
    "ALTER TABLE {t} ADD CONSTRAINT fk_{n} FOREIGN KEY (org_id) REFERENCES orgs (id)",
    "ALTER TABLE {t} ADD CONSTRAINT ck_{n} CHECK (age > 0) NOT VALID",
    "DELETE FROM {t} WHERE created_at < now() - interval '90 days'",
    "UPDATE {t} SET {c} = lower({c})",
    "ALTER TABLE {t} RENAME COLUMN {c} TO {c}_{n}",
    "SET lock_timeout = '2s'",
    "COMMENT ON TABLE {t} IS 'the {n}th'",
    "SELECT id, {c} FROM {t} WHERE id = {n}",
    "GRANT SELECT ON {t} TO reader",
)


def files(count: int) -> dict[str, str]:
    """The SQL of each file."""
    chance = random.Random(7)

    def text(shapes: Callable[[], tuple[str, ...]]) -> str:
        lines = (
            chance.choice(shapes()).format(t=chance.choice(TABLES), c=chance.choice(COLUMNS), n=number)
            for number in range(count)
        )
        return "".join(f"{line};\n" for line in lines)

    return {
        "rows": text(lambda: ROWS),
        "mixed": text(lambda: DDL if chance.random() < 0.1 else ROWS),
        "ddl": text(lambda: DDL),
    }


def measure(sql: str, rounds: int, folder: Path) -> dict[str, float]:
    """Medians of the seconds that each took, interleaved."""
    path = folder / "file.sql"
    path.write_text(sql)
    took: dict[str, list[float]] = {"tidegate": [], "squawk": [], "parse": []}
    for _ in range(rounds):
        for name, run in (
            ("tidegate", lambda: verdict.analyse(sql)),
            ("squawk", lambda: _squawk(path)),
            ("parse", lambda: parser.parse(sql)),
        ):
            began = time.perf_counter()
            run()
            took[name].append(time.perf_counter() - began)
    return {name: statistics.median(times) for name, times in took.items()}


def _squawk(path: Path) -> None:
    program = shutil.which("squawk", path=f"{Path(sys.executable).parent}:/usr/bin:/usr/local/bin")
    if program is None:
        raise SystemExit("squawk is missing: it comes with requirements-dev.txt")
    # Exit code 1 says that it found something.
    subprocess.run([program, "--reporter", "json", str(path)], stdout=subprocess.DEVNULL, check=False)


def table(count: int, rounds: int) -> Iterator[dict[str, object]]:
    with tempfile.TemporaryDirectory() as folder:
        for name, sql in files(count).items():
            seconds = measure(sql, rounds, Path(folder))
            speeds = {which: round(count / each) for which, each in seconds.items()}
            yield {
                "file": name,
                "statements": count,
                **speeds,
                "ratio": round(seconds["squawk"] / seconds["tidegate"], 2),
            }


def main() -> None:
    options = ArgumentParser(description=__doc__)
    options.add_argument("--statements", type=int, default=60_000)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--out", type=Path)
    given = options.parse_args()
    print(f"{'file':8}{'statements':>12}{'tidegate/s':>12}{'squawk/s':>12}{'ratio':>8}{'only parsing/s':>16}")
    rows = []
    for row in table(given.statements, given.rounds):
        rows.append(row)
        print(
            f"{row['file']:8}{row['statements']:>12,}{row['tidegate']:>12,}{row['squawk']:>12,}{row['ratio']:>8}"
            f"{row['parse']:>16,}",
            flush=True,
        )
    if given.out:
        given.out.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
