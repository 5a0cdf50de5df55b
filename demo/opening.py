"""What `make demo` opens with: a backfill that runs on production, and a dangerous rollout that waits for bob."""

from __future__ import annotations

import json
import secrets
import sys
from pathlib import Path
from typing import Any

from demo.installation import Installation, say
from demo.people import PASSWORD, Tokens, ensure_people
from demo.rest import Api
from demo.shop_databases import SHOP, ShopServer

LAUNCH: dict[str, Any] = {
    "slug": "shop",
    "name": "The shop",
    "source": {"kind": "path", "path": str(SHOP)},
    "python": [sys.executable],
    "url": {"env": ["SHOP_DATABASE_URL"], "ini": False, "driver": "psycopg"},
}


def prepare(tidegate: Installation) -> None:
    """Registers and starts what is not there yet; a second run finds it and goes on."""
    shop = shop_server(tidegate)
    say("making the shop's databases: 200,000 orders each, some seconds ...")
    shop.make("shop_staging", revision="0010")
    shop.make("shop_production", revision="0006", is_slow=True)
    say("signing in alice, bob and the pipeline ...")
    tokens = ensure_people(tidegate)
    root, alice = Api(tidegate.url, tokens.root), Api(tidegate.url, tokens.alice)
    if not root.get("projects/")["results"]:
        say("registering the project and its two targets ...")
        register(root, shop, ("staging", "shop_staging", 10), ("production", "shop_production", 20))
        open_rollouts(alice)
    _keep_tokens(tidegate, tokens)


def shop_server(tidegate: Installation) -> ShopServer:
    """The demo's target server; the shop's own password is made once and kept beside the servers' data."""
    kept = tidegate.state_dir / "shop-password"
    if not kept.exists():
        kept.touch(mode=0o600)
        kept.write_text(secrets.token_urlsafe(18))
    urls = tidegate.environment["TIDEGATE_DEMO_PRIMARY_URL"], tidegate.environment["TIDEGATE_DEMO_REPLICA_URL"]
    return ShopServer(*urls, kept.read_text())


def register(root: Api, shop: ShopServer, *places: tuple[str, str, int]) -> None:
    """The project, and for each (environment, database, order) its environment and target; what is there stays."""
    if not any(found["slug"] == "shop" for found in root.get("projects/")["results"]):
        root.post("projects/", **LAUNCH)
    known = {found["name"] for found in root.get("environments/")["results"]}
    for environment, database, order in places:
        if environment not in known:
            root.post("environments/", name=environment, order=order)
        root.post(
            "targets/",
            slug=database.replace("_", "-"),
            project="shop",
            environment=environment,
            url=shop.url(database),
            replicas=[{"name": "replica", "url": shop.url(database, on_replica=True)}],
            labels={"team": "shop"},
        )


def open_rollouts(alice: Api) -> None:
    """Production runs its expand step and backfill; staging has come to the contract step, which destroys values."""
    expand = alice.post(
        "rollouts/",
        project="shop",
        targets=["shop-production"],
        to="0008",
        reason="Order totals in cents, so that rounding is ours and not the client's",
    )
    alice.post(f"rollouts/{expand['id']}/start/")
    alice.post(
        "rollouts/",
        project="shop",
        targets=["shop-staging"],
        to="head",
        reason="Every service reads total_cents since Monday: drop the old totals and references",
    )


def tell(tidegate: Installation) -> None:
    """The URL and the logins, and what to look at first."""
    say(
        f"""
Tidegate is at {tidegate.url}

  sign in as   alice   (proposes and operates)        password  {PASSWORD}
               bob     (decides what is dangerous)    password  {PASSWORD}
               root    (registers targets)            password  {PASSWORD}

  look first   {tidegate.url}/            what waits for you, and a backfill that runs
  tokens       {tidegate.state_dir}/tokens.json   for the API and clients/tidegate.py
  commands     . {tidegate.state_dir}/environment.sh && .venv/bin/python manage.py doctor
  logs         {tidegate.state_dir}/logs

Ctrl-C stops everything; `make demo` again goes on where it was.
"""
    )


def _keep_tokens(tidegate: Installation, tokens: Tokens) -> None:
    kept: Path = tidegate.state_dir / "tokens.json"
    kept.touch(mode=0o600)
    kept.write_text(json.dumps(vars(tokens), indent=1) + "\n")
