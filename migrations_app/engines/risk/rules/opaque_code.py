from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:  # noqa: ARG001 - every rule is called alike
    yield Hit("What this runs is only known when it runs", evidence={"what": statement.sql})


RULE = Rule(
    id="opaque-code",
    severity="danger",
    nodes=("opaque",),
    what="SQL that is put together at run time, or code that cannot be read here.",
    why="Nobody can approve what nobody can see: it may drop, empty or lock anything.",
    safe_way="Write the statements out, one by one; where that is not possible, rehearse the revision on a scratch copy"
    " of the schema, which records what it really runs.",
    check=check,
)
