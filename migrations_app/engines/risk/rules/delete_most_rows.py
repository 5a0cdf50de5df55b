from __future__ import annotations

from collections.abc import Iterable, Iterator

from migrations_app.engines.risk import evidence
from migrations_app.engines.risk.facts import Question
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.rows import shares
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    share = shares.of_statement(statement, session)
    if share is None or share.severity is None:
        return
    known = evidence.of_table(share.relation) | {"matching": share.matching, "of": share.total}
    message = f"The condition of this DELETE selects {share} of {share.relation.name}"
    yield Hit(message, share.relation.name, None, "They were counted on this target.", known, share.severity)


def ask(statement: Statement, session: Session) -> Iterable[Question | None]:
    yield shares.question(statement, session)


RULE = Rule(
    id="delete-most-rows",
    severity="danger",
    nodes=("delete_stmt",),
    what="A DELETE has a condition, but most of the rows meet it.",
    why="A condition that selects nearly everything is as good as none: nothing brings the rows back.",
    safe_way="Look at what would stay: SELECT count(*) FROM {table} WHERE NOT (the condition). If it is meant, keep a"
    " copy (CREATE TABLE {table_name}_kept AS SELECT * FROM {table} WHERE the condition) and delete in batches by key.",
    check=check,
    destroys=True,
    ask=ask,
)
