"""`target add|probe|list`: the databases that Tidegate may change. A password never stands in an argument."""

from __future__ import annotations

import sys
from getpass import getpass
from typing import Any

from django.core.management.base import CommandParser

from migrations_app.engines import sealing
from migrations_app.engines.postgres import address
from migrations_app.errors import Invalid
from migrations_app.management import door, render, shapes
from migrations_app.management.door import Door, Options
from migrations_app.management.exits import Exit
from migrations_app.models import Environment, Project, Target
from migrations_app.stages import inventory

SHOWN = ["slug", "project", "environment", "schema_state", "pending", "current", "probed_at"]
REPLICA = ["name", "state", "lag_s", "lag_bytes", "reason"]
ON_STDIN = (
    "A password in an argument can be read by everybody on this machine. "
    "Give the URL on stdin, or with --url-ref as env:TIDEGATE_TARGET_... or file:PATH."
)


class Command(Door):
    help = "Register a target database, look at it, or list them."

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(metavar="verb", required=True)
        add = self.verb(verbs.add_parser("add", help="register one; its URL is read from stdin"), self.add)
        add.add_argument("slug", type=door.slug)
        add.add_argument("--project", required=True)
        add.add_argument("--environment", required=True)
        url = add.add_mutually_exclusive_group()
        url.add_argument("--url-ref", metavar="REF", help="where the URL is: env:TIDEGATE_TARGET_... or file:PATH")
        url.add_argument("--url", help="a URL without a password")
        pair: dict[str, Any] = {"action": "append", "default": []}
        add.add_argument("--replica", **pair, metavar="NAME[=URL|REF]", help="a standby that must keep up")
        add.add_argument("--label", **pair, type=door.named_value, metavar="NAME=VALUE")
        add.add_argument("--limit", **pair, type=door.named_value, metavar="NAME=NUMBER", help="lock_timeout_ms, ...")
        probe = self.verb(verbs.add_parser("probe", help="look at it and its replicas now"), self.probe)
        probe.add_argument("slug")
        listed = self.verb(verbs.add_parser("list", help="list them, as they were last seen"), self.list)
        listed.add_argument("--project")
        listed.add_argument("--environment")

    def add(self, options: Options) -> None:
        row = inventory.create_target(
            actor=door.actor(options),
            slug=options["slug"],
            project=door.one(Project.objects.select_related("bundle"), "project", slug=options["project"]),
            environment=door.one(Environment.objects.all(), "environment", name=options["environment"]),
            url=_url(options),
            labels=dict(options["label"]),
            replicas=[_replica(text, index) for index, text in enumerate(options["replica"])],
            limits={name: _number(name, text) for name, text in options["limit"]},
        )
        shape = shapes.target(row)
        self.show(options, shape, render.columns([shape], SHOWN, empty=""))

    def probe(self, options: Options) -> Exit:
        target = door.one(Target.objects.listed(), "target", slug=options["slug"])
        seen = inventory.probe(actor=door.actor(options), target=target)
        shape = shapes.probe(seen)
        text = render.pairs({name: value for name, value in shape.items() if name != "replicas"})
        if seen.replicas:
            text += "\n\n" + render.columns(shape["replicas"], REPLICA, empty="")
        self.show(options, shape, text)
        return Exit.DONE if seen.reachable else Exit.FAILED

    def list(self, options: Options) -> None:
        rows = Target.objects.listed()
        if options["project"]:
            rows = rows.filter(project__slug=options["project"])
        if options["environment"]:
            rows = rows.filter(environment__name=options["environment"])
        found = [shapes.target(row) for row in rows]
        self.show(options, found, render.columns(found, SHOWN, empty="There is no such target."))


def _url(options: Options) -> str:
    reference = options["url_ref"]
    if reference:
        if not sealing.is_reference(reference):
            raise Invalid.field("/url", "--url-ref says where the URL is: env:TIDEGATE_TARGET_... or file:PATH.")
        return str(reference)
    if options["url"]:
        return _without_password(options["url"], "/url")
    url = getpass("URL of the database: ") if sys.stdin.isatty() else sys.stdin.read().strip()
    if not url:
        raise Invalid.field("/url", "Give the URL on stdin, or with --url-ref as env:TIDEGATE_TARGET_... or file:PATH.")
    return url


def _without_password(url: str, pointer: str) -> str:
    if not sealing.is_reference(url) and address.parse(url).password is not None:
        raise Invalid.field(pointer, ON_STDIN)
    return url


def _replica(text: str, index: int) -> dict[str, str]:
    name, _, url = text.partition("=")
    return {"name": name, "url": _without_password(url, f"/replicas/{index}/url")} if url else {"name": name}


def _number(name: str, text: str) -> Any:
    try:
        return int(text) if text.lstrip("-").isdigit() else float(text)
    except ValueError:
        raise Invalid.field(f"/limits/{name}", f"{name} must be a number.") from None
