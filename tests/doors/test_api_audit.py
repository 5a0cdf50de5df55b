from __future__ import annotations

from rest_framework.test import APIClient

from migrations_app.models import AuditEvent


def test_the_audit_shows_who_did_what_through_which_door(as_dora: APIClient) -> None:
    made = as_dora.post("/api/v1/environments/", {"name": "staging"}, HTTP_X_REQUEST_ID="request-0001")
    entry = as_dora.get("/api/v1/audit/?action=environment.created").json()["results"][0]
    assert (entry["actor"], entry["actor_kind"], entry["via"], entry["outcome"]) == ("dora", "person", "api", "done")
    assert entry["request_id"] == made["X-Request-Id"] == "request-0001"


def test_a_refused_attempt_is_in_the_audit(as_alice: APIClient) -> None:
    as_alice.post("/api/v1/environments/", {"name": "staging"})
    entry = as_alice.get("/api/v1/audit/?outcome=denied").json()["results"][0]
    assert (entry["actor"], entry["action"]) == ("alice", "configure")


def test_the_newest_entry_comes_first(as_dora: APIClient) -> None:
    seqs = [entry["seq"] for entry in as_dora.get("/api/v1/audit/").json()["results"]]
    assert seqs == sorted(seqs, reverse=True)
    assert seqs[0] == AuditEvent.objects.count()


def test_the_chain_is_verified(as_dora: APIClient) -> None:
    answer = as_dora.post("/api/v1/audit/verify/").json()
    assert (answer["ok"], answer["checked"], answer["first_bad"]) == (True, AuditEvent.objects.count(), None)


def test_a_viewer_does_not_read_the_audit(as_carol: APIClient) -> None:
    assert as_carol.get("/api/v1/audit/").status_code == 403
    assert as_carol.post("/api/v1/audit/verify/").status_code == 403
