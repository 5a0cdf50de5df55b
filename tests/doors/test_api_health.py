from __future__ import annotations

import pytest
from celery import Celery
from django.conf import settings
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from migrations_app.models import Environment, Project, User
from tests.doors import rows


def test_the_process_says_that_it_lives_without_asking_the_database(client: Client) -> None:
    assert client.get("/livez").json() == {"status": "ok"}


@pytest.mark.django_db
def test_what_is_ready_is_listed(client: Client) -> None:
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert {check["name"] for check in answer.json()["checks"]} == {"database", "schema", "keys", "broker"}


@pytest.mark.django_db
def test_a_dead_broker_is_named_and_its_address_is_not(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    broken_app = Celery(broker="redis://127.0.0.1:1/0", set_as_current=False)
    monkeypatch.setattr("migrations_app.stages.health.current_app", broken_app)
    answer = client.get("/readyz")
    broken = [check for check in answer.json()["checks"] if not check["ok"]]
    assert (answer.status_code, [check["name"] for check in broken]) == (503, ["broker"])
    assert "127.0.0.1" not in answer.content.decode()


@pytest.mark.django_db
def test_wrong_keys_are_named_and_not_shown(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "TIDEGATE_KEYS", "k1:c2VjcmV0")
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert "c2VjcmV0" not in answer.content.decode()


def test_metrics_come_from_the_rows(client: Client, alice: User, shop: Project, production: Environment) -> None:
    target = rows.target("prod-1", shop, production, schema_state="behind")
    rows.rollout(alice, target, status="succeeded")
    rows.rollout(alice, target)
    found = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(client.get("/metrics").content.decode())
        for sample in family.samples
    }
    assert found["tidegate_runs_total", "rollout", "succeeded"] == 1
    assert found["tidegate_approvals_waiting", "rollout"] == 1
    assert found["tidegate_targets", "behind", "production"] == 1
    assert found["tidegate_replica_lag_seconds", "prod-1", "r1"] == 0
    assert found["tidegate_lag_unknown", "prod-1", "r1"] == 0
    assert found[("tidegate_audit_head_seq",)] > 0
