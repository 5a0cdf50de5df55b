"""`make demo-once`: the whole path through the REST API, unattended. Every step says what happened, and is checked."""

from __future__ import annotations

import time
from typing import Any

import psycopg

from demo.installation import Installation, say
from demo.opening import register, shop_server
from demo.people import Tokens, ensure_people
from demo.rest import Api, Refused
from demo.shop_databases import ShopServer
from migrations_app.errors import TidegateError

TARGET = "shop-once"
PAUSED_S = 4.0
FINAL = {"succeeded", "failed", "cancelled", "rejected", "stale"}


class Story:
    """Numbered steps with their time; a check that fails ends the story with what was seen instead."""

    def __init__(self) -> None:
        self.began, self.count = time.monotonic(), 0

    def step(self, text: str) -> None:
        self.count += 1
        say(f"{time.monotonic() - self.began:6.1f} s  {self.count:2}. {text}")

    def check(self, holds: object, text: str) -> None:
        if not holds:
            raise TidegateError(f"step {self.count}: {text}")


def tell(tidegate: Installation) -> int:
    """0 when the whole story happened as told."""
    count = story(tidegate, shop_server(tidegate), ensure_people(tidegate))
    say(f"\nAll {count} steps happened as told.")
    return 0


def story(tidegate: Installation, shop: ShopServer, tokens: Tokens) -> int:
    """Tells it and returns the number of steps; raises at the first one that went otherwise."""
    told = Story()
    shop.make("shop_once", revision="0006")
    root, alice, bob = (Api(tidegate.url, token) for token in (tokens.root, tokens.alice, tokens.bob))
    _register(told, root, shop)
    rollout = _plan(told, alice)
    _decide(told, rollout, alice, bob, Api(tidegate.url, tokens.pipeline))
    _run(told, alice, shop, rollout)
    _verify(told, alice, root, shop)
    return told.count


def _register(story: Story, root: Api, shop: ShopServer) -> None:
    register(root, shop, ("production", "shop_once", 10))
    seen = root.post(f"targets/{TARGET}/probe/")
    story.check(seen["reachable"], f"the target does not answer: {seen['reason']}")
    replica = seen["replicas"][0]
    story.check(replica["state"] == "streaming", f"the replica is {replica['state']}: {replica['reason']}")
    story.step(f"registered {TARGET}: at {seen['current']}, replica streaming, {replica['lag_bytes']} bytes behind")
    revisions = root.get("projects/shop/revisions/?limit=200")["results"]
    story.check(len(revisions) == 13, f"13 revisions were expected, {len(revisions)} found")
    story.step(f"discovered {len(revisions)} revisions; pending there: {len(root.get(f'targets/{TARGET}/pending/'))}")


def _plan(story: Story, alice: Api) -> dict[str, Any]:
    rollout = alice.post("rollouts/", project="shop", targets=[TARGET], to="head", reason="demo: expand to contract")
    plan = alice.get(f"rollouts/{rollout['id']}/plan/")
    rules = sorted(
        {f["rule"] for t in plan["targets"] for s in t["steps"] for f in s["findings"] if f["severity"] == "danger"}
    )
    story.check(rollout["status"] == "awaiting_approval", f"it is {rollout['status']}, though it drops columns")
    story.check("drop-column" in rules, f"drop-column was expected among the dangers {rules}")
    story.step(
        f"planned {len(rollout['steps'])} steps; dangerous: {', '.join(rules)}; digest {rollout['digest'][:19]}…"
    )
    return dict(rollout)


def _decide(story: Story, rollout: dict[str, Any], alice: Api, bob: Api, pipeline: Api) -> None:
    path = f"rollouts/{rollout['id']}/approve/"
    for who, api, code in (("its author", alice, "self_approval"), ("a machine", pipeline, "machine")):
        try:
            api.post(path, digest=rollout["digest"], comment="")
        except Refused as refused:
            story.check(refused.code == code, f"{who} was refused with {refused.code}, not {code}")
        else:
            raise TidegateError(f"{who} could approve")
    try:
        bob.post(path, digest="sha256:" + "0" * 64, comment="")
    except Refused as refused:
        story.check(refused.code == "stale", f"another digest was refused with {refused.code}, not stale")
    else:
        raise TidegateError("another digest could be approved")
    story.step("refused: the author's own approval, a machine's, and one of another digest")
    approved = bob.post(path, digest=rollout["digest"], comment="backup of this morning is tested")
    story.check(approved["status"] == "approved", f"it is {approved['status']} after bob's approval")
    story.step("bob approved this digest")


def _run(story: Story, alice: Api, shop: ShopServer, rollout: dict[str, Any]) -> None:
    path = f"rollouts/{rollout['id']}/"
    alice.post(f"{path}start/")
    story.step("alice started it: a worker takes the target's lock and runs revisions 0007 and 0008")
    backfill = _running_backfill(alice)
    shop.pause_replay()
    try:
        held = _wait_throttled(alice, backfill)
        story.step(
            f"the replica was paused; the backfill stopped at {held['rows_done']:,} rows: {held['throttle']['reason']}"
        )
        time.sleep(PAUSED_S)
        still = alice.get(f"backfills/{backfill}/")
        moved = still["rows_done"] - held["rows_done"]
        story.check(moved <= held["chunk_rows"] * 2, f"{moved} rows were done while the replica stood still")
    finally:
        shop.resume_replay()
    story.step(f"the replica goes on after {PAUSED_S:.0f} s; the backfill follows by itself")
    done = alice.wait(path, FINAL, timeout_s=180)
    story.check(done["status"] == "succeeded", f"the rollout is {done['status']}: {done['reason']}")
    told = alice.get(f"backfills/{backfill}/")
    story.check(told["status"] == "verified", f"the backfill is {told['status']}: {told['reason']}")
    story.step(f"backfill verified: {told['rows_done']:,} rows, {told['guarantee'].replace('_', ' ')}")
    story.step(
        f"rollout succeeded: {', '.join(step['revision'] for step in done['steps'] if step['kind'] == 'revision')}"
    )


def _running_backfill(alice: Api) -> str:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        for found in alice.get("backfills/")["results"]:
            if found["target"] == TARGET and (found["rows_done"] or found["status"] == "verified"):
                return str(found["id"])
        time.sleep(0.05)
    raise TidegateError("the backfill did not begin within 60 s")


def _wait_throttled(alice: Api, backfill: str) -> dict[str, Any]:
    until = time.monotonic() + 20
    while time.monotonic() < until:
        found = alice.get(f"backfills/{backfill}/")
        if found["throttle"]["active"]:
            return dict(found)
        if found["final"]:
            raise TidegateError(f"the backfill was {found['status']} before the paused replica could hold it back")
        time.sleep(0.1)
    raise TidegateError("the backfill went on for 20 s although the replica stood still")


def _verify(story: Story, alice: Api, root: Api, shop: ShopServer) -> None:
    with psycopg.connect(shop.url("shop_once")) as conn:
        row = conn.execute("SELECT count(*), count(total_cents), sum(total_cents) FROM orders").fetchone()
        heads = conn.execute("SELECT version_num FROM alembic_version").fetchall()
    assert row is not None
    story.check(row[0] == row[1] == 200_000, f"of {row[0]} orders {row[1]} have cents")
    story.check(heads == [("0013",)], f"the version table says {heads}")
    seen = root.post(f"targets/{TARGET}/probe/")
    story.check(seen["schema_state"] == "at_head", f"the target is {seen['schema_state']}: {seen['reason']}")
    story.step(f"the target itself: at 0013, {row[1]:,} orders with {row[2]:,} cents, none left without")
    audit = alice.post("audit/verify/")
    story.check(audit["ok"], f"the audit does not verify at {audit['first_bad']}")
    story.step(f"audit verified: {audit['checked']} entries, none missing, none changed")
