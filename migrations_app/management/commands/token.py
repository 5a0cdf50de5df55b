"""`token create USER --name NAME`: a bearer token for the API. Its text is printed once and never again."""

from __future__ import annotations

from django.core.management.base import CommandParser

from migrations_app.errors import NotFound
from migrations_app.management import door, render
from migrations_app.management.door import Door, Options
from migrations_app.models import ApiToken, User
from migrations_app.stages import access


class Command(Door):
    help = "Make a token for the API, list all, or revoke one."

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(metavar="verb", required=True)
        create = self.verb(verbs.add_parser("create", help="make one; stdout is the token, once"), self.create)
        create.add_argument("user", help="the account that the token acts as")
        create.add_argument("--name", required=True, help="what it is for, so that it can be told from others")
        create.add_argument(
            "--person", action="store_true", dest="is_person", help="a person's token, which may approve"
        )
        create.add_argument("--days", type=int, default=90, help="how long it is valid (1 to 366; default 90)")
        self.verb(verbs.add_parser("list", help="list all, without their secrets"), self.list)
        revoke = self.verb(verbs.add_parser("revoke", help="end one at once"), self.revoke)
        revoke.add_argument("id", help="as `token list` shows it")

    def create(self, options: Options) -> None:
        row, text = access.create_token(
            actor=door.actor(options),
            user=_account(options["user"]),
            name=options["name"],
            is_machine=not options["is_person"],
            days=options["days"],
        )
        self.show(options, {"token": text, **_shape(row)}, text)
        self.tell("Keep it now: it is shown only this once.")

    def list(self, options: Options) -> None:
        found = [_shape(row) for row in ApiToken.objects.select_related("user").order_by("created_at")]
        names = ["id", "user", "name", "is_machine", "expires_at", "last_used_at", "revoked_at"]
        self.show(options, found, render.columns(found, names, empty="There is no token yet."))

    def revoke(self, options: Options) -> None:
        row = door.one(ApiToken.objects.select_related("user"), "token", pk=options["id"])
        access.revoke_token(actor=door.actor(options), token=row)
        row.refresh_from_db()
        self.show(options, _shape(row), f"The token {row.name} of {row.user} is revoked.")


def _account(name: str) -> User:
    user = User.objects.filter(username=name).first()
    if user is None:
        raise NotFound(f"There is no account {name}. Make it with `manage.py user ensure {name}`.")
    return user


def _shape(row: ApiToken) -> dict[str, object]:
    times = {"expires_at": row.expires_at, "last_used_at": row.last_used_at, "revoked_at": row.revoked_at}
    return {"id": row.pk, "user": row.user.username, "name": row.name, "is_machine": row.is_machine, **times}
