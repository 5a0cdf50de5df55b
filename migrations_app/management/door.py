"""What every command does alike. Each one is a thin door: it parses, makes one stage call, and prints.

stdout is data (`--json` for programs), stderr is talk. A refusal is a sentence and an exit code, never a traceback.
"""

from __future__ import annotations

import sys
from argparse import ArgumentTypeError
from collections.abc import Callable
from typing import Any, TypeVar

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError, ProgrammingError, connections
from django.db.models import Model, QuerySet

from controlplane.logs import redact
from migrations_app.errors import NotFound, TidegateError, Unauthenticated
from migrations_app.management import exits, render
from migrations_app.management.exits import Exit
from migrations_app.models import Actor, User

Options = dict[str, Any]
Act = Callable[[Options], Exit | None]
Row = TypeVar("Row", bound=Model)


class Door(BaseCommand):
    """A command or a family of verbs; `verb` adds one, and what it returns is the exit code (None: done)."""

    requires_system_checks = []  # they are for `check` and for CI; here each second counts
    _called_from_command_line = False  # the parser then raises, and wrong usage can end with our own code

    def verb(self, parser: CommandParser, act: Act, *, person: str = "") -> CommandParser:
        """Makes `parser` call `act`. `person`: why the verb needs --as; "" lets Tidegate itself act."""
        parser.set_defaults(act=act)
        parser.add_argument("--json", action="store_true", dest="as_json", help="print JSON")
        why = person or "default: Tidegate itself"
        parser.add_argument("--as", dest="person", metavar="USER", required=bool(person), help=f"who does it ({why})")
        return parser

    def run_from_argv(self, argv: list[str]) -> None:
        """Wrong usage ends with 4, as in the pipeline client: argparse's own 2 means "waiting for approval" here."""
        parser = self.create_parser(argv[0], argv[1])
        try:
            options = vars(parser.parse_args(argv[2:]))
        except CommandError as error:
            self.stderr.write(f"{redact(str(error))}\nSee: {parser.prog} --help")
            sys.exit(Exit.USAGE)
        try:
            self.execute(*options.pop("args", ()), **options)
        except CommandError as error:
            self.stderr.write(render.clean(str(error)))
            sys.exit(error.returncode)
        except KeyboardInterrupt:
            self.stderr.write("Interrupted. What was started goes on.")
            sys.exit(130)
        finally:
            connections.close_all()

    def handle(self, *args: Any, **options: Any) -> None:
        """Runs the verb. A refusal becomes a CommandError with its exit code; another code than 0 ends the process."""
        try:
            code = options["act"](options)
        except TidegateError as error:
            raise CommandError(_sentences(error), returncode=exits.of_error(error)) from None
        except (OperationalError, ProgrammingError):
            told = "Tidegate's own database does not answer as it should: `manage.py doctor` says what is wrong."
            raise CommandError(told, returncode=Exit.UNREACHABLE) from None
        if code:
            sys.exit(code)

    def show(self, options: Options, data: Any, text: str) -> None:
        """`data` for programs, or `text` for people."""
        self.stdout.write(render.as_json(data) if options["as_json"] else render.clean(text))

    def tell(self, text: str) -> None:
        """Talk, beside the data."""
        self.stderr.write(render.clean(text))
        self.stderr.flush()


def actor(options: Options) -> Actor:
    """Who acts: the person of --as, or Tidegate itself where nobody is named."""
    if not options["person"]:
        return Actor.system("command")
    return Actor.of(account(options["person"]), via="command")


def account(name: str) -> User:
    """The active account of this name. Raises Unauthenticated."""
    user = User.objects.filter(username=name, is_active=True).first()
    if user is None:
        raise Unauthenticated(f"There is no active account {name}. `manage.py user ensure {name}` makes one.")
    return user


def one(rows: QuerySet[Row], what: str, **key: str) -> Row:
    """The one row with this key. Raises NotFound, which names it."""
    found = rows.filter(**key).first()
    if found is None:
        raise NotFound(f"There is no {what} {next(iter(key.values()))}.")
    return found


def named_value(text: str) -> tuple[str, str]:
    """NAME=VALUE of an argument."""
    name, separator, value = text.partition("=")
    if not name or not separator:
        raise ArgumentTypeError("write it as NAME=VALUE")
    return name, value


def slug(text: str) -> str:
    """A name that may stand in a URL."""
    if (
        not text.isascii()
        or not text.replace("-", "a").replace("_", "a").isalnum()
        or text != text.lower()
        or len(text) > 63
    ):
        raise ArgumentTypeError("use small letters, digits and dashes, at most 63")
    return text


def _sentences(error: TidegateError) -> str:
    """What happened, and each wrong field where there are several."""
    several = [f"  {field.pointer}: {field.detail}" for field in error.errors] if len(error.errors) > 1 else []
    return "\n".join([redact(error.detail), *map(redact, several)])
