"""A command as a shell sees it: its exit code, and what it wrote to stdout and stderr."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from django.core.management import call_command
from django.core.management.base import CommandError

SHOP = Path(__file__).parents[2] / "demo" / "shop"
PASSWORD = "sleepy-harbour-lantern"


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        return json.loads(self.out)


def run(*words: str, stdin: str = "") -> Ran:
    """Runs it in this process, on this test's transaction."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    with mock.patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode()))):
        try:
            call_command(*words, stdout=out, stderr=err)
        except CommandError as error:
            code = error.returncode
            err.write(str(error))
        except SystemExit as end:
            code = int(end.code or 0)
    return Ran(code, out.getvalue(), err.getvalue())


def add_shop() -> Ran:
    """Registers the demo's project under this very interpreter."""
    recipe = ["--url-env", "SHOP_DATABASE_URL", "--no-url-ini", "--driver", "psycopg"]
    return run("project", "add", "shop", "--path", str(SHOP), "--python", sys.executable, *recipe, "--json")


def add_target(url: str, *words: str, slug: str = "shop-production") -> Ran:
    """Registers a database as a target of the shop, its URL on stdin."""
    return run("target", "add", slug, "--project=shop", "--environment=production", "--json", *words, stdin=url)
