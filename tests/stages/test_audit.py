"""The audit: append-only by trigger, and any change, gap or cut is found."""

import pytest
from django.db import InternalError, ProgrammingError, connection, transaction

from migrations_app import lifecycle
from migrations_app.models import AuditHead, Environment
from migrations_app.stages import audit, inventory
from tests.stages.conftest import SYSTEM


@pytest.fixture
def entries(db):
    row = Environment.objects.create(name="somewhere")
    for number in range(5):
        lifecycle.record(SYSTEM, "test.entry", row, {"number": number, "ratio": 0.1})
    return row


def forge(statement):
    """What somebody with the owner's password could do: switch the triggers off first."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE migrations_app_auditevent DISABLE TRIGGER USER")
        cursor.execute(statement)
        cursor.execute("ALTER TABLE migrations_app_auditevent ENABLE TRIGGER USER")


def verify():
    return audit.verify(actor=SYSTEM)


def test_an_untouched_chain_verifies(entries):
    found = verify()
    assert (found.ok, found.first_bad) == (True, None)
    assert found.checked == AuditHead.objects.get().seq


@pytest.mark.parametrize("statement", ["UPDATE {} SET actor = 'x'", "DELETE FROM {}", "TRUNCATE {}"])
def test_the_database_refuses_every_change(entries, statement):
    refused = pytest.raises((InternalError, ProgrammingError), match="append-only")
    with refused, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement.format("migrations_app_auditevent"))


@pytest.mark.parametrize(
    ("statement", "first_bad"),
    [
        ("UPDATE migrations_app_auditevent SET actor = 'mallory' WHERE seq = 3", 3),
        ("UPDATE migrations_app_auditevent SET payload = '{}' WHERE seq = 2", 2),
        ("UPDATE migrations_app_auditevent SET at = at + interval '1 microsecond' WHERE seq = 4", 4),
        ("DELETE FROM migrations_app_auditevent WHERE seq = 2", 2),
        ("DELETE FROM migrations_app_auditevent WHERE seq = (SELECT max(seq) FROM migrations_app_auditevent)", 5),
    ],
)
def test_a_forged_removed_or_cut_entry_is_found(entries, statement, first_bad):
    forge(statement)
    found = verify()
    assert (found.ok, found.first_bad) == (False, first_bad)


def test_an_action_without_its_entry_does_not_happen(entries, monkeypatch):
    def fail(*_, **__):
        raise InternalError("no audit")

    monkeypatch.setattr(lifecycle, "record", fail)
    with pytest.raises(InternalError), transaction.atomic():
        inventory.create_environment(actor=SYSTEM, name="unseen")
    assert not Environment.objects.filter(name="unseen").exists()
