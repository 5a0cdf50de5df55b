"""Who is in the demo: alice proposes and operates, bob decides, and a pipeline has a machine's token."""

from __future__ import annotations

import json
from dataclasses import dataclass

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
    """One API token for each; they live as long as the process that asked for them."""

    alice: str
    bob: str
    root: str
    pipeline: str


def ensure_people(tidegate: Installation) -> Tokens:
    """Makes accounts and fresh tokens with Tidegate's own commands, as an administrator on the server would."""
    tokens = {}
    for name, roles in PEOPLE.items():
        machine = ["--machine"] if name == "pipeline" else []
        tidegate.manage("user", "ensure", name, *(f"--role={role}" for role in roles), *machine, stdin=PASSWORD)
        person = [] if name == "pipeline" else ["--person"]
        told = tidegate.manage("token", "create", name, "--name=demo", "--days=7", "--json", *person)
        tokens[name] = json.loads(told)["token"]
    return Tokens(**tokens)
