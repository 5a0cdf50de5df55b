"""`doctor`: what Tidegate would use here, what is not ready, and what to do about it."""

from __future__ import annotations

from dataclasses import asdict

from django.core.management.base import CommandParser

from migrations_app.management import checkup, render
from migrations_app.management.door import Door, Options
from migrations_app.management.exits import Exit


class Command(Door):
    help = "Look at this installation. Exits with 1 when something must be mended before it can work."

    def add_arguments(self, parser: CommandParser) -> None:
        self.verb(parser, self.act)

    def act(self, options: Options) -> Exit:
        found = [asdict(finding) for finding in checkup.examine()]
        self.show(options, found, render.columns(found, ["state", "name", "says"], empty=""))
        return Exit.FAILED if any(finding["state"] == "stop" for finding in found) else Exit.DONE
