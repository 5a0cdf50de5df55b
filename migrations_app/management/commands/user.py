"""`user ensure NAME --role ROLE ...`: an account with exactly these roles; its password comes from stdin."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from migrations_app.engines.policy import GRANTS
from migrations_app.errors import TidegateError
from migrations_app.models import Actor
from migrations_app.stages import access

ROLES = sorted(set().union(*GRANTS.values()))


class Command(BaseCommand):
    help = "Make an account, or bring its roles and password to what is said here."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        ensure = verbs.add_parser("ensure", help=self.help)
        ensure.add_argument("name")
        ensure.add_argument("--role", action="append", default=[], choices=ROLES, dest="roles")
        ensure.add_argument("--machine", action="store_true", help="a service account, which can never approve")

    def handle(self, *args: Any, **options: Any) -> None:
        password = "" if sys.stdin.isatty() else sys.stdin.read().strip()
        if not password and not options["machine"]:
            raise CommandError("Give the password on stdin: an argument could be read by everybody on this machine.")
        try:
            user = access.ensure_user(
                actor=Actor.system("command"),
                username=options["name"],
                password=None if options["machine"] else password,
                roles=options["roles"],
                is_machine=options["machine"],
            )
        except TidegateError as error:
            raise CommandError(error.detail) from None
        self.stdout.write(f"{user} has the roles {', '.join(sorted(user.roles)) or 'none'}")
