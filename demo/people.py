"""Who is in the demo: alice proposes and operates, bob decides, and a pipeline has a machine's token."""

from __future__ import annotations

import os
from dataclasses import dataclass

import django

from demo.installation import Installation

PASSWORD = "sleepy-harbour-lantern"  # shown on the terminal: the demo listens on this machine only
PEOPLE = {
    "alice": ["author", "operator", "auditor"],
    "bob": ["approver"],
    "root": ["admin"],
    "pipeline": ["author", "operator"],
}


@dataclass(frozen=True)
class Tokens:
    """One API token for each; fresh with each start of the demo."""

    alice: str
    bob: str
    root: str
    pipeline: str


def ensure_people(tidegate: Installation) -> Tokens:
    """Accounts and tokens, as `manage.py user ensure` and `manage.py token create` make them, but in this process."""
    os.environ.update(tidegate.environment)
    django.setup()
    from migrations_app.models import Actor
    from migrations_app.stages import access

    actor = Actor.system("command")
    tokens = {}
    for name, roles in PEOPLE.items():
        is_machine = name == "pipeline"
        password = None if is_machine else PASSWORD
        user = access.ensure_user(actor=actor, username=name, password=password, roles=roles, is_machine=is_machine)
        _, tokens[name] = access.create_token(actor=actor, user=user, name="demo", is_machine=is_machine, days=7)
    return Tokens(**tokens)
