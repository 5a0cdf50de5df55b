"""Tokens: shown once, kept as a digest, refused in one voice."""

from __future__ import annotations

import pytest
from django.conf import LazySettings

from migrations_app.errors import Forbidden, Invalid, Unauthenticated
from migrations_app.models import Actor, ApiToken, AuditEvent, User
from migrations_app.stages import access

SYSTEM = Actor.system("test")
pytestmark = pytest.mark.django_db


@pytest.fixture
def alice() -> User:
    return access.ensure_user(actor=SYSTEM, username="alice", password=None, roles=["author"])


def test_a_token_opens_for_its_user(alice: User) -> None:
    row, text = access.create_token(actor=SYSTEM, user=alice, name="ci")
    assert access.authenticate(text) == (alice, row)
    assert len(text) == len("tg_") + 32 + 1 + 43 + 8


def test_neither_the_row_nor_the_audit_holds_the_secret(alice: User) -> None:
    row, text = access.create_token(actor=SYSTEM, user=alice, name="ci")
    secret = text.partition(".")[2][:43]
    kept = str(list(ApiToken.objects.values())) + str(list(AuditEvent.objects.values()))
    assert secret not in kept
    assert row.digest in kept


def test_another_secret_under_a_known_id_is_refused(alice: User) -> None:
    _, text = access.create_token(actor=SYSTEM, user=alice, name="ci")
    _, other = access.create_token(actor=SYSTEM, user=alice, name="other")
    forged = text.partition(".")[0] + "." + other.partition(".")[2][:43]
    with pytest.raises(Unauthenticated, match="not valid"):
        access.authenticate(forged + access._crc(forged))


def test_a_token_outlives_a_change_of_the_secret_key(alice: User, settings: LazySettings) -> None:
    _, text = access.create_token(actor=SYSTEM, user=alice, name="ci")
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another-key-for-this-test-" + "x" * 40
    assert access.authenticate(text)[0] == alice
    settings.SECRET_KEY_FALLBACKS = []
    with pytest.raises(Unauthenticated):
        access.authenticate(text)


def test_a_revoked_token_is_refused_and_the_revocation_is_kept_once(alice: User) -> None:
    row, text = access.create_token(actor=SYSTEM, user=alice, name="ci")
    access.revoke_token(actor=SYSTEM, token=row)
    access.revoke_token(actor=SYSTEM, token=row)
    assert AuditEvent.objects.filter(action="token.revoked").count() == 1
    with pytest.raises(Unauthenticated):
        access.authenticate(text)


def test_people_make_tokens_for_themselves_and_only_admins_for_others(alice: User) -> None:
    bob = access.ensure_user(actor=SYSTEM, username="bob", password=None, roles=["approver"])
    actor = Actor.of(bob, via="test")
    access.create_token(actor=actor, user=bob, name="own")
    with pytest.raises(Forbidden):
        access.create_token(actor=actor, user=alice, name="theirs")
    assert AuditEvent.objects.filter(outcome="denied").count() == 1


def test_a_machine_cannot_make_itself_a_persons_token(alice: User) -> None:
    machine = Actor.of(alice, via="test", is_machine=True)
    with pytest.raises(Forbidden) as refusal:
        access.create_token(actor=machine, user=alice, name="up", is_machine=False)
    assert refusal.value.code == "machine"


@pytest.mark.parametrize("days", [0, 367])
def test_a_token_must_expire_within_a_year(alice: User, days: int) -> None:
    with pytest.raises(Invalid) as refusal:
        access.create_token(actor=SYSTEM, user=alice, name="ci", days=days)
    assert refusal.value.errors[0].pointer == "/days"


def test_an_account_gets_exactly_the_roles_that_are_named(alice: User) -> None:
    access.ensure_user(actor=SYSTEM, username="alice", password="long enough for this", roles=["viewer", "dba"])
    again = User.objects.get(username="alice")
    assert again.roles == {"viewer", "dba"}
    assert again.check_password("long enough for this")
    access.ensure_user(actor=SYSTEM, username="alice", password=None, roles=["viewer"])
    assert User.objects.get(username="alice").check_password("long enough for this")
