"""`user ensure NAME --role ROLE ...`: an account with exactly these roles, its password from stdin; `user list`."""

from __future__ import annotations

import sys
from getpass import getpass

from django.core.management.base import CommandParser

from migrations_app.engines.policy import GRANTS
from migrations_app.errors import Invalid
from migrations_app.management import door, render
from migrations_app.management.door import Door, Options
from migrations_app.models import User
from migrations_app.stages import access

ROLES = sorted(set().union(*GRANTS.values()))


class Command(Door):
    help = "Make an account, or bring its roles and password to what is said here; or list all."

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(metavar="verb", required=True)
        ensure = self.verb(verbs.add_parser("ensure", help="make or change one"), self.ensure)
        ensure.add_argument("name")
        ensure.add_argument("--role", action="append", default=[], choices=ROLES, dest="roles", help="again for each")
        ensure.add_argument("--machine", action="store_true", help="a service account, which can never approve")
        self.verb(verbs.add_parser("list", help="list all, with their roles"), self.list)

    def ensure(self, options: Options) -> None:
        is_machine = options["machine"]
        user = access.ensure_user(
            actor=door.actor(options),
            username=options["name"],
            password=None if is_machine else _password(options["name"]),
            roles=options["roles"],
            is_machine=is_machine,
        )
        self.show(options, _shape(user), f"{user} has the roles {', '.join(sorted(user.roles)) or 'none'}")

    def list(self, options: Options) -> None:
        found = [_shape(user) for user in User.objects.order_by("username")]
        names = ["name", "roles", "is_machine", "is_active", "last_login"]
        self.show(options, found, render.columns(found, names, empty="There is no account yet."))


def _password(name: str) -> str:
    password = getpass(f"Password for {name}: ") if sys.stdin.isatty() else sys.stdin.read().strip()
    if not password:
        raise Invalid.field(
            "/password", "Give the password on stdin: an argument could be read by everybody on this machine."
        )
    return password


def _shape(user: User) -> dict[str, object]:
    kept = {"is_machine": user.is_machine, "is_active": user.is_active, "last_login": user.last_login}
    return {"name": user.username, "roles": sorted(user.roles), **kept}
