"""`rollout list|status|plan|start|pause|resume|cancel|retry`: what was proposed, and steering it."""

from __future__ import annotations

from django.core.management.base import CommandParser

from migrations_app.management import door, render, shapes
from migrations_app.management.door import Door, Options
from migrations_app.management.exits import Exit
from migrations_app.management.waiting import follow
from migrations_app.models import Rollout
from migrations_app.stages import rollout

MOVES = {
    "start": (rollout.start, "let an approved one run"),
    "pause": (rollout.pause, "start no further step"),
    "resume": (rollout.resume, "carry on a paused one"),
    "cancel": (rollout.cancel, "end it; what ran stays"),
    "retry": (rollout.retry, "try once more what failed"),
}
SHOWN = ["id", "project", "to", "status", "author", "created_at", "reason"]


class Command(Door):
    help = "List rollouts, look at one, or steer it."

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(metavar="verb", required=True)
        listed = self.verb(verbs.add_parser("list", help="the newest first"), self.list)
        listed.add_argument("--status")
        listed.add_argument("--limit", type=int, default=50, help="how many (default: 50)")
        plan = self.verb(verbs.add_parser("plan", help="what it would run, exactly"), self.plan)
        plan.add_argument("rollout")
        self._waiting(self.verb(verbs.add_parser("status", help="how it stands; exits by its status"), self.status))
        for name, (_, text) in MOVES.items():
            move = verbs.add_parser(name, help=text)
            move.set_defaults(move=name)
            self._waiting(self.verb(move, self.move))

    def _waiting(self, parser: CommandParser) -> None:
        parser.add_argument("rollout")
        parser.add_argument(
            "--wait", type=float, default=0, metavar="S", help="seconds to wait for its end (default: 0)"
        )

    def list(self, options: Options) -> None:
        rows = Rollout.objects.listed()
        if options["status"]:
            rows = rows.filter(status=options["status"])
        found = [_row(row) for row in rows[: options["limit"]]]
        self.show(options, found, render.columns(found, SHOWN, empty="There is no such rollout."))

    def plan(self, options: Options) -> None:
        row = _found(options)
        self.show(options, shapes.plan(row), shapes.plan_text(row))

    def status(self, options: Options) -> Exit:
        return self._end(options, _found(options))

    def move(self, options: Options) -> Exit:
        stage, _ = MOVES[options["move"]]
        return self._end(options, stage(actor=door.actor(options), rollout=_found(options)))

    def _end(self, options: Options, row: Rollout) -> Exit:
        code = follow(row, wait_s=options["wait"], tell=self.tell)
        self.show(options, shapes.rollout(row), shapes.rollout_text(row))
        # Without --wait a move has done what was asked, whatever the status says of the rollout.
        return code if options["wait"] or "move" not in options else Exit.DONE


def _found(options: Options) -> Rollout:
    return door.one(Rollout.objects.listed(), "rollout", pk=options["rollout"])


def _row(row: Rollout) -> shapes.Json:
    names = "to status reason level dangerous digest created_at started_at finished_at"
    shape = {"id": row.pk, "project": row.project.slug, "author": row.author.username}
    return {**shape, **shapes.fields(row, names)}
