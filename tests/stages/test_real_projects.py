"""Histories that nobody here wrote: registered, planned, approved and upgraded, they end as plain Alembic ends."""

import psycopg
import pytest

from migrations_app.engines.postgres import catalog, fingerprint
from migrations_app.models import Step
from migrations_app.stages import discover
from tests import corpora

pytestmark = [pytest.mark.corpora, pytest.mark.timeout(300)]


def schema_of(url):
    with psycopg.connect(url) as connection:
        lines = fingerprint.fingerprint(connection).lines
        return [line for line in lines if "tidegate" not in line], catalog.read_heads(connection)


@pytest.mark.parametrize("corpus", ["optuna", "ckan"])
def test_a_real_history_goes_through_every_stage(corpus, scene, tmp_path, database_url, second_url):
    real = corpora.recipe(corpus)
    for url in (database_url, second_url):
        real.prepare(url)
    source = {"kind": "path", "path": str(real.source(tmp_path / "source"))}
    actor = scene.actor(scene.root)
    scene.project = discover.create_project(actor=actor, slug=corpus, name=corpus, source=source, **real.json)
    row = scene.propose(scene.target(database_url), to="heads")
    assert Step.objects.filter(plan__rollout=row).count() == real.expected["revisions"]
    assert row.status == "awaiting_approval"  # both read rows, so their effect cannot be known before
    row = scene.drive(scene.started(scene.approved(row)))
    assert row.status == "succeeded", list(Step.objects.filter(plan__rollout=row).values_list("status", "reason"))[:3]
    assert corpora.plain_upgrade(corpus, second_url, tmp_path) == ""
    assert schema_of(database_url) == schema_of(second_url)
