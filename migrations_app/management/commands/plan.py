"""`plan PROJECT --target T --reason R --as USER`: proposes a rollout, and shows exactly what would run."""

from __future__ import annotations

from django.core.management.base import CommandParser

from migrations_app.management import exits, proposing, shapes
from migrations_app.management.door import Door, Options
from migrations_app.management.exits import Exit


class Command(Door):
    help = "Propose a rollout and show its plan. Nothing runs. Exits with 2 when it waits for approval."

    def add_arguments(self, parser: CommandParser) -> None:
        self.verb(parser, self.act, person="its author")
        proposing.add_arguments(parser)

    def act(self, options: Options) -> Exit:
        row = proposing.propose(options)
        data = {**shapes.rollout(row), "plan": shapes.plan(row)}
        self.show(options, data, f"{shapes.rollout_text(row)}\n\n{shapes.plan_text(row)}")
        if row.status == "planning":
            self.tell(f"It {row.reason}, and is planned again then: manage.py rollout plan {row.pk}")
        return exits.of_row(row)
