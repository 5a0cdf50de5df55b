"""`deploy PROJECT --target T --reason R --as USER`: plans, starts what needs no approval, and waits for its end."""

from __future__ import annotations

from django.core.management.base import CommandParser

from migrations_app.errors import TidegateError
from migrations_app.management import door, proposing, shapes
from migrations_app.management.door import Door, Options
from migrations_app.management.exits import Exit
from migrations_app.management.waiting import follow, planned
from migrations_app.stages import rollout


class Command(Door):
    help = "Bring targets to a revision: plan, start when nothing needs an approval, and wait for the end."

    def add_arguments(self, parser: CommandParser) -> None:
        self.verb(parser, self.act, person="author and operator")
        proposing.add_arguments(parser)
        parser.add_argument("--wait", type=float, default=1800, metavar="S", help="seconds (default: 1800)")

    def act(self, options: Options) -> Exit:
        try:
            row = proposing.propose(options)
        except TidegateError as error:
            # The same deploy twice is no failure. With several targets it is: another one may have much to do.
            if error.code != "nothing_to_do" or len(options["targets"] or ()) != 1:
                raise
            self.show(options, {"id": None, "status": "nothing_to_do", "reason": error.detail}, error.detail)
            return Exit.DONE
        planned(row, wait_s=options["wait"], tell=self.tell)
        if row.status == "awaiting_approval":
            self.tell(f"It {row.reason}. To be decided at {shapes.page_of(row)}")
            self.tell(f"or with: manage.py approve {row.pk} --digest {row.digest} --as SOMEBODY")
            self.tell(f"Then go on with: manage.py rollout start {row.pk} --wait {options['wait']:g}")
            code = Exit.WAITING
        elif row.status == "planning" or row.is_final:
            code = follow(row, wait_s=0, tell=self.tell)
            if row.status == "planning":
                self.tell(f"Still planning. Once it is approved: manage.py rollout start {row.pk}")
                code = Exit.TIMED_OUT
        else:
            row = rollout.start(actor=door.actor(options), rollout=row)
            code = follow(row, wait_s=options["wait"], tell=self.tell)
        self.show(options, shapes.rollout(row), shapes.rollout_text(row))
        return code
