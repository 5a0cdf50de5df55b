from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.revision_sql import RevisionSql
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:  # noqa: ARG001 - every rule is called alike
    revision: RevisionSql = statement.node
    error = revision.rehearsed.up_error if revision.rehearsed else None
    if error is not None:
        message = f"Rehearsed on this target's schema, it fails: {error}"
        yield Hit(message, evidence={"sqlstate": error.sqlstate, "where": error.where, "error": str(error)})


RULE = Rule(
    id="schema-drift",
    severity="hazard",
    nodes=("@rehearsal",),
    what="The revision does not go through on a copy of the target's own schema.",
    why="It would fail on the target as well, in the middle of the rollout. Usually the schema there is not what the"
    " author had before him: somebody changed it by hand, or a revision was skipped.",
    safe_way="Compare the target with the history (the target's page shows the differences), bring it back in line, or"
    " correct the revision; then plan again.",
    check=check,
)
