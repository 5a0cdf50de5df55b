"""`environment add|list`: the ordered stages, and the policy that their targets stand under."""

from __future__ import annotations

import json
from argparse import ArgumentTypeError
from typing import Any

from django.core.management.base import CommandParser

from migrations_app.management import door, render, shapes
from migrations_app.management.door import Door, Options
from migrations_app.models import Environment
from migrations_app.stages import inventory


class Command(Door):
    help = "Add an environment with its policy, or list them."

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(metavar="verb", required=True)
        add = self.verb(verbs.add_parser("add", help="add one"), self.add)
        add.add_argument("name", type=door.slug)
        add.add_argument("--order", type=int, default=100, help="where it stands among the others (default: 100)")
        add.add_argument("--policy", type=_policy, default={}, metavar="JSON", help='such as {"approvals": 2}')
        self.verb(verbs.add_parser("list", help="list all, in their order"), self.list)

    def add(self, options: Options) -> None:
        row = inventory.create_environment(
            actor=door.actor(options), name=options["name"], order=options["order"], policy=options["policy"]
        )
        shape = shapes.environment(row)
        self.show(options, shape, render.pairs({"environment": row.name, "order": row.order, "policy": row.policy}))

    def list(self, options: Options) -> None:
        found = [shapes.environment(row) for row in Environment.objects.all()]
        text = render.columns(found, ["name", "order", "policy"], empty="There is no environment yet.")
        self.show(options, found, text)


def _policy(text: str) -> dict[str, Any]:
    try:
        policy = json.loads(text)
    except ValueError:
        raise ArgumentTypeError("this is not JSON") from None
    if not isinstance(policy, dict):
        raise ArgumentTypeError('write an object, such as {"approvals": 2}')
    return policy
