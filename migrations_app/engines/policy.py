"""Who may do what, and how many approvals a verdict needs. Pure: every answer carries its reason."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# Which roles may use a verb. Roles are the names of groups; `system` (tick, workers) only carries on what was asked.
GRANTS: Mapping[str, frozenset[str]] = {
    "read": frozenset({"viewer", "author", "operator", "approver", "admin", "auditor"}),
    "configure": frozenset({"admin"}),
    "probe": frozenset({"author", "operator", "approver", "admin"}),
    "propose": frozenset({"author", "operator", "admin"}),
    "operate": frozenset({"operator", "admin"}),
    "approve": frozenset({"approver"}),
    "audit": frozenset({"auditor", "admin", "approver", "operator", "author"}),
}


@dataclass(frozen=True)
class Decision:
    """`code` is for clients (self_approval, machine, forbidden), `reason` for people."""

    allowed: bool
    code: str
    reason: str


def may(
    *,
    kind: str,
    roles: Collection[str],
    verb: str,
    is_author: bool = False,
    policies: Sequence[Mapping[str, Any]] = (),
) -> Decision:
    """Whether an actor may use the verb. For `approve`, `policies` are those of every environment concerned."""
    if kind == "system":
        return Decision(verb != "approve", "forbidden", "Tidegate itself never approves.")
    if verb == "approve":
        return _may_approve(kind=kind, roles=roles, is_author=is_author, policies=policies)
    if verb == "cancel":
        return _may_cancel(roles=roles, is_author=is_author)
    allowed = GRANTS[verb]
    if allowed & set(roles):
        return Decision(True, "", "")
    return Decision(False, "forbidden", f"This needs one of the roles {_listed(allowed)}; you have {_listed(roles)}.")


def _may_cancel(*, roles: Collection[str], is_author: bool) -> Decision:
    if is_author or GRANTS["operate"] & set(roles):
        return Decision(True, "", "")
    return Decision(False, "forbidden", "Only its author, an operator or an admin may cancel this.")


def _may_approve(
    *, kind: str, roles: Collection[str], is_author: bool, policies: Sequence[Mapping[str, Any]]
) -> Decision:
    if kind == "machine":
        return Decision(False, "machine", "A machine's token can never approve or reject: a person has to decide.")
    if is_author and not (policies and all(policy["allow_self_approval"] for policy in policies)):
        return Decision(False, "self_approval", "You are the author: somebody else has to decide on this.")
    if "approver" not in roles:
        return Decision(False, "forbidden", f"Deciding needs the role approver; you have {_listed(roles)}.")
    for policy in policies:
        groups = set(policy["approver_groups"])
        if groups and not groups & set(roles):
            return Decision(False, "forbidden", f"The environment's policy asks for one of {_listed(groups)}.")
    return Decision(True, "", "")


@dataclass(frozen=True)
class Quorum:
    required: int
    reason: str


def quorum(*, dangerous: bool, hazards: Sequence[str], policies: Sequence[Mapping[str, Any]]) -> Quorum:
    """How many different people must approve: the strictest of the environments concerned."""
    if not dangerous:
        return Quorum(0, "nothing in it destroys data or guarantees")
    required = max((int(policy["approvals"]) for policy in policies), default=1)
    people = "1 person" if required == 1 else f"{required} people"
    return Quorum(max(required, 1), f"needs {people} because of {_listed(hazards) or 'what cannot be known before'}")


def strictest_expiry_h(policies: Sequence[Mapping[str, Any]]) -> float:
    """Hours after which an approval no longer counts."""
    return min((float(policy["expires_h"]) for policy in policies), default=168.0)


def _listed(names: Collection[str]) -> str:
    return ", ".join(sorted(names)) or "none"
