"""Arguments that `plan` and `deploy` share, and the proposal that they make of them."""

from __future__ import annotations

import datetime as dt
from argparse import ArgumentTypeError

from django.core.management.base import CommandParser
from django.utils.dateparse import parse_datetime

from migrations_app.errors import Invalid
from migrations_app.management import door
from migrations_app.management.door import Options
from migrations_app.models import Project, Rollout, Target
from migrations_app.stages import plan


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument("project")
    parser.add_argument("--target", action="append", dest="targets", metavar="SLUG", help="again for each target")
    parser.add_argument("--environment", help="instead of --target: every target of this environment")
    parser.add_argument("--label", action="append", default=[], type=door.named_value, metavar="NAME=VALUE")
    parser.add_argument("--to", default="head", help="head, a revision, +n or -n (default: head)")
    parser.add_argument("--reason", required=True, help="why; the approver reads it")
    parser.add_argument("--wave", action="append", dest="waves", metavar="SLUG,...", help="again for each wave")
    parser.add_argument("--failure-budget", type=int, default=0, metavar="N", help="targets that may fail")
    parser.add_argument("--soak-s", type=int, default=0, metavar="S", help="seconds between waves")
    parser.add_argument("--not-before", type=_moment, metavar="TIME", help="ISO 8601 with a zone")


def propose(options: Options) -> Rollout:
    """The rollout as it was planned and kept: approved, or waiting for approval."""
    author = door.account(options["person"])
    project = door.one(Project.objects.select_related("bundle"), "project", slug=options["project"])
    rows = Target.objects.select_related("environment", "project")
    return plan.create_rollout(
        actor=door.actor(options),
        author=author,
        project=project,
        targets=[door.one(rows, "target", slug=name) for name in options["targets"]] if options["targets"] else None,
        selector=_selector(options),
        to=options["to"],
        purpose=options["reason"],
        waves=[wave.split(",") for wave in options["waves"]] if options["waves"] else None,
        failure_budget=options["failure_budget"],
        soak_s=options["soak_s"],
        not_before=options["not_before"],
    )


def _selector(options: Options) -> dict[str, object] | None:
    if not options["environment"] and not options["label"]:
        if not options["targets"]:
            raise Invalid.field("/targets", "Say where to: --target for each target, or --environment with --label.")
        return None
    return {"environment": options["environment"], "labels": dict(options["label"])}


def _moment(text: str) -> dt.datetime:
    try:
        moment = parse_datetime(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ArgumentTypeError("write a time with its zone, such as 2030-01-31T22:00:00Z")
    return moment.astimezone(dt.UTC)
