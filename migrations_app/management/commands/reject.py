"""`reject ID --digest D --comment WHY --as USER`: ends it, and tells its author why."""

from __future__ import annotations

from django.core.management.base import CommandParser

from migrations_app.management import deciding, door, render
from migrations_app.management.door import Door, Options
from migrations_app.stages import approve


class Command(Door):
    help = "Reject a rollout or a backfill. Asks for the person's password."

    def add_arguments(self, parser: CommandParser) -> None:
        self.verb(parser, self.act, person="the approver")
        deciding.add_arguments(parser)
        parser.add_argument("--comment", required=True, help="why, so that its author knows what to change")

    def act(self, options: Options) -> None:
        user = deciding.proven(options)
        row = approve.reject(
            actor=door.actor(options),
            user=user,
            subject=deciding.subject(options),
            digest=options["digest"],
            comment=options["comment"],
        )
        shape = {"id": row.pk, "status": row.status, "reason": row.reason, "digest": row.digest}
        self.show(options, shape, render.pairs(shape))
