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
    table, columns = share.relation.name, ", ".join(share.columns)
    known = evidence.of_table(share.relation) | {"matching": share.matching, "of": share.total}
    message = f"This UPDATE overwrites values of {columns} in {share} of {table}"
    yield Hit(message, table, share.columns[0], "They were counted on this target.", known, share.severity)


def ask(statement: Statement, session: Session) -> Iterable[Question | None]:
    yield shares.question(statement, session)


RULE = Rule(
    id="update-most-rows",
    severity="danger",
    nodes=("update_stmt",),
    what="An UPDATE has a condition, but most of the rows meet it and lose a value.",
    why="A condition that selects nearly everything is as good as none: the old values cannot be brought back.",
    safe_way="Write into a new column instead (ALTER TABLE {table} ADD COLUMN {column}_new ...), fill it by a chunked"
    " backfill, and drop {column} one release later; or keep the old values in a table of their own first.",
    check=check,
    destroys=True,
    ask=ask,
)
