"""`audit verify`: proves that no entry of the audit was changed, removed or slipped in."""

from __future__ import annotations

from dataclasses import asdict

from django.core.management.base import CommandParser

from migrations_app.management import door, render
from migrations_app.management.door import Door, Options
from migrations_app.management.exits import Exit
from migrations_app.stages import audit


class Command(Door):
    help = "Check the audit's chain of hashes."

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(metavar="verb", required=True)
        self.verb(
            verbs.add_parser("verify", help="from the first entry to the last; exits with 3 if broken"), self.verify
        )

    def verify(self, options: Options) -> Exit:
        verdict = audit.verify(actor=door.actor(options))
        self.show(options, asdict(verdict), render.pairs(asdict(verdict)))
        return Exit.DONE if verdict.ok else Exit.REJECTED
