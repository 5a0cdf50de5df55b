"""Policies and limits: every name known, every value in range, and nothing accepted that nobody obeys."""

import pytest

from migrations_app.engines import settings_check
from migrations_app.errors import Invalid


@pytest.mark.parametrize("policy", [{"freeze": ["2026-12-24"]}, {"window": {"start": "22:00"}}])
def test_what_no_code_enforces_yet_is_refused_and_not_kept(policy):
    with pytest.raises(Invalid, match="is not enforced by this version"):
        settings_check.policy(policy, over={})


def test_the_defaults_of_the_contract_are_accepted():
    given = {"freeze": [], "window": None, "require_rehearsal": True, "approvals": 2}
    assert settings_check.policy(given, over={"expires_h": 24}) == {**given, "expires_h": 24}


@pytest.mark.parametrize(
    ("policy", "pointer"),
    [
        ({"approvals": 0}, "/policy/approvals"),
        ({"require_rehearsal": "yes"}, "/policy/require_rehearsal"),
        ({"approvals": True}, "/policy/approvals"),
        ({"approver_groups": "dba"}, "/policy/approver_groups"),
        ({"allow_self_approval": 1}, "/policy/allow_self_approval"),
        ({"expires_h": 0}, "/policy/expires_h"),
        ({"max_lag_s": "2"}, "/policy/max_lag_s"),
        ({"aprovals": 1}, "/policy/aprovals"),
    ],
)
def test_a_wrong_value_is_named_by_its_field(policy, pointer):
    with pytest.raises(Invalid) as refused:
        settings_check.policy(policy, over={})
    assert [error.pointer for error in refused.value.errors] == [pointer]
