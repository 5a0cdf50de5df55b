"""`pending TARGET`: the revisions that are not applied there, in order of execution, with what each risks."""

from __future__ import annotations

from django.core.management.base import CommandParser

from migrations_app.management import door, render
from migrations_app.management.door import Door, Options
from migrations_app.management.exits import Exit
from migrations_app.models import Target
from migrations_app.stages import examine


class Command(Door):
    help = "List the revisions that a target has not run yet."

    def add_arguments(self, parser: CommandParser) -> None:
        self.verb(parser, self.act)
        parser.add_argument("target")
        parser.add_argument("--detailed-exitcode", action="store_true", help="exit with 2 when there are any")

    def act(self, options: Options) -> Exit:
        rows = Target.objects.select_related("project__bundle", "environment")
        target = door.one(rows, "target", slug=options["target"])
        found = examine.pending(actor=door.actor(options), target=target)
        shown = [{**row, "risks": sorted({finding["rule"] for finding in row["findings"]})} for row in found]
        names = ["revision", "message", "level", "dangerous", "risks"]
        self.show(options, found, render.columns(shown, names, empty=f"{target} is at head: nothing is pending."))
        return Exit.WAITING if found and options["detailed_exitcode"] else Exit.DONE
