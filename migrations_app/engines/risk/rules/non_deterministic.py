from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engines.risk import revision_source
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.revision_sql import RevisionSql
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement

_CHANCE = {
    "datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time", "uuid.uuid4", "uuid.uuid1",
    "uuid4", "uuid1", "secrets.token_hex", "secrets.token_urlsafe", "os.urandom",
}  # fmt: skip
_OUTSIDE = ("requests", "httpx", "urllib", "boto3", "subprocess", "socket", "smtplib", "aiohttp")


def check(statement: Statement, session: Session) -> Iterator[Hit]:  # noqa: ARG001 - every rule is called alike
    revision: RevisionSql = statement.node
    upgrade = revision.function("upgrade")
    if upgrade is None:
        return
    for name, call in revision_source.calls(upgrade):
        if name.startswith("random.") or any(name == each or name.endswith(f".{each}") for each in _CHANCE):
            message = f"upgrade() calls {name}(), which answers differently each time"
        elif name.partition(".")[0] in _OUTSIDE:
            message = f"upgrade() calls {name}(), which reaches out of the database"
        else:
            continue
        yield Hit(message, evidence={"call": name}, line=call.lineno)


RULE = Rule(
    id="non-deterministic",
    severity="advice",
    nodes=("@revision",),
    what="upgrade() uses the clock, chance or another machine.",
    why="It does not do the same on each target, it cannot be shown before it runs, and what it did outside is not"
    " rolled back when it fails.",
    safe_way="Let PostgreSQL make the value in the statement (now(), gen_random_uuid()), or write the value down in the"
    " revision. Do what reaches outside in a job of the application.",
    check=check,
)
