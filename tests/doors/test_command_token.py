from __future__ import annotations

import pytest

from migrations_app.errors import Unauthenticated
from migrations_app.models import User
from migrations_app.stages import access
from tests.doors.command_line import run


def test_a_new_token_is_all_that_stdout_holds(alice: User) -> None:
    made = run("token", "create", "alice", "--name", "release job")
    user, row = access.authenticate(made.out.strip())
    assert (made.code, user, row.is_machine) == (0, alice, True)
    assert "only this once" in made.err


def test_a_persons_token_is_one(alice: User) -> None:
    made = run("token", "create", "alice", "--name", "laptop", "--person", "--days", "1", "--json")
    assert access.authenticate(made.data["token"])[1].is_machine is False


def test_a_list_shows_no_secret_and_a_revoked_token_opens_nothing(alice: User) -> None:
    text = run("token", "create", "alice", "--name", "old").out.strip()
    listed = run("token", "list", "--json")
    assert text[-51:] not in listed.out
    assert run("token", "revoke", listed.data[0]["id"]).code == 0
    with pytest.raises(Unauthenticated):
        access.authenticate(text)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "words", [("create", "nobody", "--name", "x"), ("revoke", "tok_none")], ids=["no account", "no token"]
)
def test_what_is_not_there_is_wrong_usage(words: tuple[str, ...]) -> None:
    ended = run("token", *words)
    assert ended.code == 4
    assert "There is no" in ended.err
