"""`project add|sync|list`: Alembic histories, and how each one's own Python is started."""

from __future__ import annotations

import json
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from migrations_app.engines.runner.launch import Launch
from migrations_app.errors import FieldError, Invalid
from migrations_app.management import door, render, shapes
from migrations_app.management.door import Door, Options
from migrations_app.models import Project
from migrations_app.stages import discover

SHOWN = ["slug", "name", "revisions", "heads", "bundle"]
# Options that are parts of the recipe under their own name; what is rarer stands in a --recipe.
DIRECT = ("alembic_ini", "ini_section", "script_location", "working_dir", "version_table", "version_table_schema")


class Command(Door):
    help = "Register an Alembic project, read its files again, or list them."

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(metavar="verb", required=True)
        add = self.verb(verbs.add_parser("add", help="register one; its history is read at once"), self.add)
        add.add_argument("slug", type=door.slug)
        add.add_argument("--name", help="for people (default: the slug)")
        add.add_argument("--path", help="the folder that holds alembic.ini")
        add.add_argument("--python", action="append", metavar="WORD", help="its interpreter; again for each argument")
        add.add_argument("--url-env", action="append", metavar="NAME", help="a variable in which it looks for its URL")
        add.add_argument("--no-url-ini", action="store_true", help="it does not read sqlalchemy.url of the ini")
        add.add_argument("--url-x-arg", metavar="NAME", help="it reads its URL from -x NAME=...")
        add.add_argument("--driver", help="psycopg, psycopg2, asyncpg, ... (default: the first that it can import)")
        for name in DIRECT:
            add.add_argument(f"--{name.replace('_', '-')}", help="as in the API")
        add.add_argument(
            "--recipe", metavar="FILE|-", help="a JSON file with the body of the API; options go before it"
        )
        sync = self.verb(verbs.add_parser("sync", help="read its folder again, or take an archive"), self.sync)
        sync.add_argument("slug")
        sync.add_argument("--archive", metavar="FILE|-", help="a tar.gz instead of its folder")
        self.verb(verbs.add_parser("list", help="list all"), self.list)

    def add(self, options: Options) -> None:
        body = _body(options)
        row = discover.create_project(actor=door.actor(options), slug=options["slug"], **body)
        shape = shapes.project(row)
        self.show(options, shape, render.columns([shape], SHOWN, empty=""))

    def sync(self, options: Options) -> None:
        project = door.one(Project.objects.all(), "project", slug=options["slug"])
        archive = _read(options["archive"], "/archive") if options["archive"] else None
        bundle, is_new = discover.sync(actor=door.actor(options), project=project, archive=archive)
        shape = {"digest": bundle.digest, "revisions": bundle.revisions.count(), "heads": bundle.heads, "new": is_new}
        self.show(options, shape, render.pairs(shape))

    def list(self, options: Options) -> None:
        found = [shapes.project(row) for row in Project.objects.select_related("bundle")]
        self.show(options, found, render.columns(found, SHOWN, empty="There is no project yet."))


def _body(options: Options) -> dict[str, Any]:
    """The API's body, out of the recipe and the options over it."""
    body = _recipe(options["recipe"]) if options["recipe"] else {}
    body |= {name: options[name] for name in (*DIRECT, "python", "name") if options[name]}
    body.setdefault("name", options["slug"])
    if options["path"]:
        body["source"] = {"kind": "path", "path": str(Path(options["path"]).resolve())}
    url = {"env": options["url_env"], "x_arg": options["url_x_arg"], "driver": options["driver"]}
    given = {name: value for name, value in url.items() if value} | ({"ini": False} if options["no_url_ini"] else {})
    if given:
        body["url"] = {**body.get("url", {}), **given}
    if "source" not in body:
        raise Invalid.field("/source", "Say where its files are: --path DIR, or a --recipe with its source.")
    return body


def _recipe(path: str) -> dict[str, Any]:
    try:
        body = json.loads(_read(path, "/recipe"))
    except ValueError:
        raise Invalid.field("/recipe", f"The recipe {path} is not JSON.") from None
    if not isinstance(body, dict):
        raise Invalid.field("/recipe", f"The recipe {path} must be one JSON object.")
    body.pop("slug", None)  # the argument says it
    known = {item.name for item in fields(Launch)} | {"name", "source"}
    unknown = [FieldError(f"/{name}", f"There is no field {name}.") for name in sorted(set(body) - known)]
    if unknown:
        raise Invalid("; ".join(error.detail for error in unknown), errors=unknown)
    return body


def _read(path: str, pointer: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    except OSError as error:
        raise Invalid.field(pointer, f"{path} cannot be read: {error.strerror}.") from None
