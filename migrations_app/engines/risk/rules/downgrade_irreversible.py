from __future__ import annotations

import ast
from collections.abc import Iterator

from migrations_app.engines.risk import revision_source
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.revision_sql import RevisionSql
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:  # noqa: ARG001 - every rule is called alike
    revision: RevisionSql = statement.node
    raised = revision_source.raises(revision.function("downgrade"))
    if raised is not None:
        what = ast.unparse(raised.exc) if raised.exc else "an error"
        yield Hit("downgrade() refuses on purpose", evidence={"raises": what[:200]}, line=raised.lineno)


RULE = Rule(
    id="downgrade-irreversible",
    severity="advice",
    nodes=("@revision",),
    what="The author says that there is no way back.",
    why="After this revision only a backup, or a new revision that mends, helps.",
    safe_way="Make sure before the start that a backup exists and how long it takes to bring back. Better: split off"
    " what cannot be undone into a revision of its own, and run that one last.",
    check=check,
)
