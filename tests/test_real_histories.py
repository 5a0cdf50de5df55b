"""Histories of real projects: through the runner they end exactly where plain Alembic ends."""

import psycopg
import pytest

from migrations_app.engines.postgres import catalog, fingerprint
from migrations_app.engines.postgres.address import parse
from migrations_app.engines.runner import spawn
from migrations_app.engines.runner.bundle import unpack
from migrations_app.engines.runner.runs import start_run
from tests import corpora

pytestmark = [pytest.mark.corpora, pytest.mark.timeout(300)]


def state_of(url):
    with psycopg.connect(url) as connection:
        return fingerprint.fingerprint(connection), catalog.read_heads(connection)


def stops_at(real, url):
    """Where this server cannot do what the history asks of it (the embedded one is built without ICU), or None."""
    with psycopg.connect(url) as connection:
        has_icu = connection.execute("SELECT 1 FROM pg_collation WHERE collname = 'en-x-icu'").fetchone()
    return None if has_icu else real.data.get("without_icu")


@pytest.mark.parametrize("corpus", corpora.IDS)
def test_a_real_history_is_read_and_planned_as_it_is(corpus, tmp_path):
    real = corpora.recipe(corpus)
    made = spawn.collect(real.launch, real.source(tmp_path / "source"))
    bundle = unpack(made.archive, made.digest, tmp_path / "bundles")
    history = spawn.history(real.launch, bundle)
    planned = spawn.plan(real.launch, bundle, current=[], destination=["heads"]).revisions
    sql = spawn.offline_sql(real.launch, bundle, planned)
    assert (len(history.revisions), sorted(history.heads)) == (real.expected["revisions"], real.expected["heads"])
    assert planned == tuple(r.revision for r in history.revisions)
    assert sum(1 for found in sql.values() if found.opaque) == real.expected["opaque"]


@pytest.mark.parametrize("corpus", corpora.IDS)
def test_a_real_history_runs_as_plain_alembic_runs_it(corpus, tmp_path, database_url, second_url):
    real = corpora.recipe(corpus)
    made = spawn.collect(real.launch, real.source(tmp_path / "source"))
    bundle = unpack(made.archive, made.digest, tmp_path / "bundles")
    for url in (database_url, second_url):
        real.prepare(url)
    settings = {"lock_key": 1, "application_name": "tidegate:corpora:1", "lock_timeout_ms": 3000}
    run = start_run(real.launch, bundle, parse(database_url), destination=["heads"], **settings)
    run.go()
    last, stop = run.wait(), stops_at(real, database_url)
    if stop is None:
        assert (last.kind, len(last.data["applied"])) == ("done", real.expected["revisions"]), (last, run.output())
    else:
        assert {name: last.data[name] for name in stop} == stop
    assert bool(corpora.plain_upgrade(corpus, second_url, tmp_path)) == (stop is not None)
    assert state_of(database_url) == state_of(second_url)
