"""`analyse PATH|-`: what a .sql file, stdin, or a folder with alembic.ini would do.

Exit 0: nothing dangerous. 1: dangerous, or at `--fail-on`. 4: the input cannot be judged.
"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from migrations_app.errors import TidegateError
from migrations_app.stages import analyse

LEVELS = ("low", "medium", "high", "critical")
DANGEROUS, USAGE = 1, 4
ARGPARSE_USAGE = 2


class Command(BaseCommand):
    help = "Say what SQL or the revisions of a project would do, and what of it is dangerous. Runs none of it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("path", help="a .sql file, a folder with alembic.ini, or - for SQL on stdin")
        parser.add_argument("--database-url", help="read sizes, types and keys from this database's catalog")
        parser.add_argument("--range", dest="revision_range", metavar="A:B", help="only the revisions after A up to B")
        parser.add_argument("--python", help="the project's own interpreter, such as .venv/bin/python")
        parser.add_argument("--json", action="store_true", dest="as_json", help="print the analysis as JSON")
        parser.add_argument("--fail-on", choices=LEVELS, help="exit 1 from this level on, dangerous or not")

    def run_from_argv(self, argv: list[str]) -> None:
        try:
            super().run_from_argv(argv)
        except SystemExit as end:
            # argparse says 2 for a usage error; here 2 means that something waits for approval.
            raise SystemExit(USAGE if end.code == ARGPARSE_USAGE else end.code) from None

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            found = _analysis(options)
        except TidegateError as error:
            raise CommandError(error.detail, returncode=USAGE) from None
        if options["as_json"]:
            self.stdout.write(json.dumps(found, indent=2, ensure_ascii=False))
        else:
            self.stdout.write("\n".join(_lines(found)))
        floor = options["fail_on"]
        if found["dangerous"] or (floor and LEVELS.index(found["level"]) >= LEVELS.index(floor)):
            raise SystemExit(DANGEROUS)


def _analysis(options: dict[str, Any]) -> dict[str, Any]:
    path, database_url = options["path"], options["database_url"]
    if path != "-" and Path(path).is_dir():
        return analyse.analyse_history(
            path=path,
            revision_range=options["revision_range"],
            database_url=database_url,
            python=options["python"],
        )
    if options["revision_range"]:
        raise CommandError("--range belongs to a folder with alembic.ini, not to SQL.", returncode=USAGE)
    return analyse.analyse_sql(sql=_text(path), database_url=database_url)


def _text(path: str) -> str:
    try:
        raw = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}.", returncode=USAGE) from None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        detail = f"Line {line} of {path} is not UTF-8, so nothing can be said about it. Save the file as UTF-8."
        raise CommandError(detail, returncode=USAGE) from None


def _lines(found: dict[str, Any]) -> Iterator[str]:
    for statement in found["statements"]:
        for finding in statement["findings"]:
            where = f"{statement['revision']}:{statement['line']}" if "revision" in statement else statement["line"]
            yield f"{finding['severity'].upper()} {finding['rule']} (line {where}): {finding['message']}"
            yield f"    Why:      {finding['why']}"
            yield f"    Safe way: {finding['safe_way']}"
    for reason in found["opaque"]:
        yield f"OPAQUE {reason}"
    if found["fails"]:
        yield f"FAILS with {found['fails']['sqlstate']}: {found['fails']['message']}"
    says = "DANGEROUS, a person has to approve it" if found["dangerous"] else "nothing dangerous"
    locks = f"strongest lock {found['lock']}" if found["lock"] else "no lock on an existing table"
    known = "with the database's catalog" if found["facts"] == "catalog" else "from the SQL alone"
    yield f"{len(found['statements'])} statements, level {found['level']}: {says}; {locks}; judged {known}."
