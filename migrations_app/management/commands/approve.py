"""`approve ID --digest D --as USER`: one person's approval of exactly what they have read."""

from __future__ import annotations

from django.core.management.base import CommandParser

from migrations_app.management import deciding, door, render
from migrations_app.management.door import Door, Options
from migrations_app.stages import approve


class Command(Door):
    help = "Approve a rollout or a backfill. Asks for the person's password; machines can never approve."

    def add_arguments(self, parser: CommandParser) -> None:
        self.verb(parser, self.act, person="the approver")
        deciding.add_arguments(parser)
        parser.add_argument("--comment", default="", help="kept with the decision")
        parser.add_argument("--confirm", default="", metavar="TARGET", help="the target's name, to be sure")

    def act(self, options: Options) -> None:
        user = deciding.proven(options)
        row = approve.approve(
            actor=door.actor(options),
            user=user,
            subject=deciding.subject(options),
            digest=options["digest"],
            comment=options["comment"],
            confirm=options["confirm"],
        )
        shape = {"id": row.pk, "status": row.status, "reason": row.reason, "digest": row.digest}
        self.show(options, shape, render.pairs(shape))
