"""The path of issue and README, through REST, with real processes: what `make demo-once` tells, as a test."""

from demo import once
from tests.flow import MARKS

pytestmark = MARKS


def test_expand_backfill_contract_through_approval_under_a_paused_replica(tidegate, shop, tokens, replica_turn):
    replica_turn.take_alone()
    assert once.story(tidegate, shop, tokens) == 12
