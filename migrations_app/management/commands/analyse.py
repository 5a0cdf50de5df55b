"""`analyse PATH|-`: what a .sql file, stdin, or a folder with alembic.ini would do.

Exit 0: nothing dangerous. 1: dangerous, or at `--fail-on`. 4: the input cannot be judged.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from migrations_app.engines.reports import FORMATS
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
        parser.add_argument("--format", choices=list(FORMATS), default="text", help="text unless said otherwise")
        parser.add_argument("--json", action="store_const", const="json", dest="format", help="short for --format json")
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
        self.stdout.write(FORMATS[options["format"]](found, options["path"]))
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
    if path.endswith(".py"):
        detail = f"{path} is Python. Name the folder that holds alembic.ini, and the revision with --range."
        raise CommandError(detail, returncode=USAGE)
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
