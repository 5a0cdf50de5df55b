from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engines.risk import statements
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.revision_sql import RevisionSql
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement

_CHANGE_NOTHING = ("variable_set_stmt", "variable_show_stmt", "select_stmt")


def check(statement: Statement, session: Session) -> Iterator[Hit]:  # noqa: ARG001 - every rule is called alike
    revision: RevisionSql = statement.node
    flags = list(revision.autocommit)
    if True not in flags:
        return
    before = statements.parse(list(revision.sql[: flags.index(True)]))
    changing = [each for each in before if each.node_name not in _CHANGE_NOTHING]
    if changing:
        function = revision.function("upgrade")
        message = f"autocommit_block() commits the {len(changing)} statements before it in the middle of the revision"
        if len(changing) == 1:
            message = f"autocommit_block() commits the {changing[0].kind} before it in the middle of the revision"
        line = function.lineno if function else None
        yield Hit(message, evidence={"committed": [each.sql[:200] for each in changing[:10]]}, line=line)


RULE = Rule(
    id="autocommit-splits-transaction",
    severity="hazard",
    nodes=("@revision",),
    what="Statements stand before an autocommit_block() in the same revision.",
    why="Entering the block commits them. When the block then fails, the revision is half applied: the version table"
    " says that it is not, and running it again fails on what is there already.",
    safe_way="Put the autocommit_block() alone into a revision of its own, after the one with the other statements.",
    check=check,
)
