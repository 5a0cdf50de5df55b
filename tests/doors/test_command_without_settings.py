"""Which commands work where no Tidegate is installed, and what the others say there."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def manage(*arguments, stdin=""):
    bare = {name: value for name, value in os.environ.items() if not name.startswith(("TIDEGATE_", "DJANGO_"))}
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(command, cwd=ROOT, env=bare, input=stdin, capture_output=True, text=True, check=False)


def test_sql_is_analysed_without_any_settings():
    done = manage("analyse", "-", "--json", stdin="DROP TABLE users")
    assert (done.returncode, '"drop-table"' in done.stdout) == (1, True)


def test_another_command_names_what_is_missing_in_one_sentence():
    done = manage("target", "list")
    assert done.returncode == 4
    assert done.stderr.startswith("Set TIDEGATE_DATABASE_URL, TIDEGATE_SECRET_KEY, TIDEGATE_KEYS")
