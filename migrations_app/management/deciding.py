"""A person's decision on the command line: they prove who they are, and say which digest they have read."""

from __future__ import annotations

import logging
import sys
from getpass import getpass
from typing import Any

from django.core.management.base import CommandParser

from migrations_app.errors import Unauthenticated
from migrations_app.management import door
from migrations_app.management.door import Options
from migrations_app.models import Backfill, Rollout, User

log = logging.getLogger(__name__)


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument("id", help="of the rollout or backfill")
    parser.add_argument("--digest", required=True, help="of what you have read: the decision is for this and no other")


def subject(options: Options) -> Any:
    """The rollout or backfill of the id; the stage decides on either."""
    if options["id"].startswith("bf_"):
        return door.one(Backfill.objects.listed(), "backfill", pk=options["id"])
    return door.one(Rollout.objects.listed(), "rollout", pk=options["id"])


def proven(options: Options) -> User:
    """The person of --as, after their password was given on the terminal or on stdin.

    A shell on the server is not a person's word. A machine has no password: the stage refuses it, and keeps that.
    """
    user = door.account(options["person"])
    if user.is_machine:
        return user
    told = f"Password of {user}: "
    password = getpass(told) if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")
    if not user.check_password(password):
        log.warning("a decision on the command line was refused: wrong password", extra={"account": str(user)})
        raise Unauthenticated(f"This is not the password of {user}. Nothing was decided.")
    return user
