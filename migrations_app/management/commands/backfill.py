"""`backfill declare|list|status|start|pause|resume|cancel|adjust`: chunked changes of data, and steering them."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from migrations_app.management import door, exits, render, shapes
from migrations_app.management.door import Door, Options
from migrations_app.management.exits import Exit
from migrations_app.management.waiting import follow
from migrations_app.models import Backfill, Target
from migrations_app.stages import backfill

MOVES = {
    "start": (backfill.start, "let an approved one run"),
    "pause": (backfill.pause, "stop after the chunk in progress"),
    "resume": (backfill.resume, "go on from the checkpoint"),
    "cancel": (backfill.cancel, "end it; what is done stays"),
}
SHOWN = ["id", "target", "table", "status", "rows_done", "fraction", "eta_s", "reason"]


class Command(Door):
    help = "Declare a backfill, look at one, or steer it."

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(metavar="verb", required=True)
        self._declaring(verbs.add_parser("declare", help="check one on its target and keep it"))
        listed = self.verb(verbs.add_parser("list", help="the newest first"), self.list)
        listed.add_argument("--status")
        listed.add_argument("--limit", type=int, default=50, help="how many (default: 50)")
        self._waiting(self.verb(verbs.add_parser("status", help="how it stands; exits by its status"), self.status))
        for name, (_, text) in MOVES.items():
            move = verbs.add_parser(name, help=text)
            move.set_defaults(move=name)
            self._waiting(self.verb(move, self.move))
        adjust = self.verb(verbs.add_parser("adjust", help="change its limits, also while it runs"), self.adjust)
        adjust.add_argument("backfill")
        self._limits(adjust)

    def _declaring(self, parser: CommandParser) -> None:
        self.verb(parser, self.declare, person="its author")
        parser.add_argument("target")
        parser.add_argument("--table", required=True, help="schema.table, or table")
        parser.add_argument("--set", action="append", type=door.named_value, required=True, metavar="COLUMN=SQL")
        parser.add_argument("--where", default="", metavar="SQL", help="which rows are still to do")
        parser.add_argument("--key", action="append", metavar="COLUMN", help="default: the primary key")
        parser.add_argument("--reason", required=True, help="why; the approver reads it")
        self._limits(parser)

    def _limits(self, parser: CommandParser) -> None:
        parser.add_argument("--max-lag-s", type=float, metavar="S", help="replica lag that stops it")
        parser.add_argument("--chunk-ms", type=int, metavar="MS", help="how long one transaction may take")
        parser.add_argument("--workers", type=int, metavar="N")

    def _waiting(self, parser: CommandParser) -> None:
        parser.add_argument("backfill")
        parser.add_argument(
            "--wait", type=float, default=0, metavar="S", help="seconds to wait for its end (default: 0)"
        )

    def declare(self, options: Options) -> Exit:
        rows = Target.objects.select_related("environment", "project")
        row = backfill.declare(
            actor=door.actor(options),
            author=door.account(options["person"]),
            target=door.one(rows, "target", slug=options["target"]),
            table=options["table"],
            set=dict(options["set"]),
            where=options["where"],
            key=options["key"],
            purpose=options["reason"],
            **_given(options),
        )
        self.show(options, shapes.backfill(row), shapes.backfill_text(row))
        return exits.of_row(row)

    def list(self, options: Options) -> None:
        rows = Backfill.objects.listed()
        if options["status"]:
            rows = rows.filter(status=options["status"])
        found = [shapes.backfill(row) for row in rows[: options["limit"]]]
        self.show(options, found, render.columns(found, SHOWN, empty="There is no such backfill."))

    def status(self, options: Options) -> Exit:
        return self._end(options, _found(options))

    def move(self, options: Options) -> Exit:
        stage, _ = MOVES[options["move"]]
        return self._end(options, stage(actor=door.actor(options), backfill=_found(options)))

    def adjust(self, options: Options) -> None:
        row = backfill.adjust(actor=door.actor(options), backfill=_found(options), **_given(options))
        self.show(options, shapes.backfill(row), shapes.backfill_text(row))

    def _end(self, options: Options, row: Backfill) -> Exit:
        code = follow(row, wait_s=options["wait"], tell=self.tell)
        self.show(options, shapes.backfill(row), shapes.backfill_text(row))
        return code if options["wait"] or "move" not in options else Exit.DONE


def _found(options: Options) -> Backfill:
    row: Backfill = door.one(Backfill.objects.listed(), "backfill", pk=options["backfill"])
    return row


def _given(options: Options) -> dict[str, Any]:
    """The limits that were given; the stage knows what the others are."""
    return {name: options[name] for name in backfill.ADJUSTABLE if options[name] is not None}
