from __future__ import annotations

import ast
from collections.abc import Iterator

from migrations_app.engines.risk import deciding
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.revision_sql import RevisionSql
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:  # noqa: ARG001 - every rule is called alike
    revision: RevisionSql = statement.node
    lines = set()
    for condition, asks in deciding.conditions(revision):
        if condition.lineno not in lines:
            lines.add(condition.lineno)
            message = f"What upgrade() does depends on {asks}: it differs from one database to the next"
            yield Hit(message, evidence={"condition": ast.unparse(condition)[:200]}, line=condition.lineno)


RULE = Rule(
    id="conditional-code",
    severity="hazard",
    nodes=("@revision",),
    what="upgrade() decides by an environment variable, or by asking the database, what it does.",
    why="Two databases at the same revision then have different schemas, and what was tried on one of them says nothing"
    " about the other.",
    safe_way="Write the statements without the branch; where an object may or may not be there, say so in SQL"
    " (CREATE TABLE IF NOT EXISTS, DROP INDEX IF EXISTS). If it must stay, rehearse the revision on a copy of each"
    " target's schema, which records the branch that is really taken there.",
    check=check,
)
