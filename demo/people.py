"""Who is in the demo: alice proposes and operates, bob decides, and a pipeline has a machine's token."""

from __future__ import annotations

import json
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
    """The accounts with fresh tokens, made by one process that has the installation's settings."""
    return Tokens(**json.loads(tidegate.python("-m", "demo.people")))


def make() -> dict[str, str]:
    """What `manage.py user ensure` and `manage.py token create` would do eight times over."""
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
    return tokens


if __name__ == "__main__":
    print(json.dumps(make()))
