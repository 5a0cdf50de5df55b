"""Who may do what, and how many have to agree."""

import pytest

from migrations_app.engines import policy

STRICT = {"approvals": 2, "approver_groups": ["dba"], "allow_self_approval": False, "expires_h": 24}
PLAIN = {"approvals": 1, "approver_groups": [], "allow_self_approval": False, "expires_h": 168}
LOOSE = {**PLAIN, "allow_self_approval": True}


@pytest.mark.parametrize("verb", sorted(set(policy.GRANTS) - {"approve"}))
def test_a_person_without_a_role_may_do_nothing(verb):
    decision = policy.may(kind="person", roles=[], verb=verb)
    assert not decision.allowed
    assert "you have none" in decision.reason


@pytest.mark.parametrize("role", ["admin", "author", "operator", "auditor", "viewer"])
def test_only_the_role_of_an_approver_approves_not_even_an_admin(role):
    assert not policy.may(kind="person", roles=[role], verb="approve", policies=[PLAIN]).allowed


def test_a_machine_never_approves_whatever_its_roles():
    roles = set().union(*policy.GRANTS.values())
    decision = policy.may(kind="machine", roles=roles, verb="approve", policies=[LOOSE])
    assert (decision.allowed, decision.code) == (False, "machine")


def test_tidegate_itself_never_approves_but_carries_on():
    assert not policy.may(kind="system", roles=[], verb="approve").allowed
    assert policy.may(kind="system", roles=[], verb="operate").allowed


def test_an_author_approves_only_where_every_environment_allows_it():
    def decide(*policies):
        return policy.may(kind="person", roles=["approver"], verb="approve", is_author=True, policies=policies)

    assert decide(LOOSE).allowed
    assert decide(LOOSE, PLAIN).code == "self_approval"
    assert decide().code == "self_approval"


def test_each_environment_may_ask_for_its_own_groups():
    assert not policy.may(kind="person", roles=["approver"], verb="approve", policies=[PLAIN, STRICT]).allowed
    assert policy.may(kind="person", roles=["approver", "dba"], verb="approve", policies=[PLAIN, STRICT]).allowed


def test_the_author_or_an_operator_cancels_and_nobody_else():
    assert policy.may(kind="person", roles=["author"], verb="cancel", is_author=True).allowed
    assert policy.may(kind="machine", roles=["operator"], verb="cancel").allowed
    assert not policy.may(kind="person", roles=["author"], verb="cancel").allowed


def test_the_strictest_environment_decides_the_quorum_and_the_expiry():
    quorum = policy.quorum(dangerous=True, hazards=["drop-column"], policies=[PLAIN, STRICT])
    assert (quorum.required, quorum.reason) == (2, "needs 2 people because of drop-column")
    assert policy.strictest_expiry_h([PLAIN, STRICT]) == 24
    assert policy.quorum(dangerous=False, hazards=["x"], policies=[STRICT]).required == 0


def test_what_is_dangerous_needs_at_least_one_person():
    assert policy.quorum(dangerous=True, hazards=[], policies=[]).required == 1
