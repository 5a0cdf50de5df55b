from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engines.risk import revision_source
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.revision_sql import RevisionSql
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:  # noqa: ARG001 - every rule is called alike
    revision: RevisionSql = statement.node
    upgrade, downgrade = revision.function("upgrade"), revision.function("downgrade")
    if revision.tree is None or revision_source.is_empty(upgrade) or not revision_source.is_empty(downgrade):
        return
    what = "there is no downgrade()" if downgrade is None else "downgrade() does nothing"
    yield Hit(f"upgrade() changes the database, but {what}", line=downgrade.lineno if downgrade else 1)


RULE = Rule(
    id="downgrade-missing",
    severity="advice",
    nodes=("@revision",),
    what="The revision cannot be taken back.",
    why="A downgrade past it leaves the schema as it is and the version table one step behind, so that the next upgrade"
    " fails over what is there already.",
    safe_way="Write the opposite of each step in downgrade(), in reverse order. Where there is none, raise an error"
    " that says so: then a downgrade stops instead of lying.",
    check=check,
)
