"""An analysis with a database that does not hold out, and with one that does."""

import psycopg
import pytest

from migrations_app.engines.postgres import facts_scope, probes
from migrations_app.errors import TargetUnreachable
from migrations_app.stages import analyse

NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"


def leaving(url, answer):
    """Stands in for a step of the reading, just before which the server ends every session of the database."""

    def step(*arguments, **options):
        with psycopg.connect(url, autocommit=True) as other:
            ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
            other.execute(ended + "AND pid <> pg_backend_pid()")
        return answer(*arguments, **options)

    return step


@pytest.mark.parametrize(("module", "name"), [(facts_scope, "relations"), (probes, "has_rows")])
def test_a_database_that_goes_away_midway_leaves_an_analysis_that_says_so(database_url, monkeypatch, module, name):
    with psycopg.connect(database_url) as conn:
        conn.execute("CREATE TABLE t (id int)")
    monkeypatch.setattr(module, name, leaving(database_url, getattr(module, name)))
    found = analyse.analyse_sql(sql="DROP TABLE t; DROP TABLE u", database_url=database_url)
    assert (found["facts"], found["dangerous"], found["hazards"]) == ("none", True, ["drop-table"])
    assert "57P01" in found["degraded"]


def test_a_database_that_holds_out_leaves_no_such_word(database_url):
    found = analyse.analyse_sql(sql="DROP TABLE IF EXISTS t", database_url=database_url)
    assert (found["facts"], "degraded" in found) == ("catalog", False)


def test_a_database_that_cannot_be_opened_is_an_error():
    with pytest.raises(TargetUnreachable):
        analyse.analyse_sql(sql="SELECT 1", database_url=NOWHERE)
