from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engines.risk import foreign_keys
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    for added in foreign_keys.added(statement, session):
        if added.key.definition.fk_del_action == "c":
            message = f"Deleting a row of {added.key.parent} deletes its rows in {added.table} without a word"
            yield Hit(message, added.table, added.key.columns[0])


RULE = Rule(
    id="fk-cascade",
    severity="advice",
    nodes=foreign_keys.NODES,
    what="A foreign key deletes rows by itself (ON DELETE CASCADE).",
    why="One DELETE in the referenced table may take along very many rows here, all in one transaction, and further"
    " ones by other keys; nothing asks, and nothing counts them.",
    safe_way="Leave ON DELETE CASCADE out where rows of {table} have a life of their own, and let the code delete them"
    " in batches first. Where it stays, index {column}.",
    check=check,
)
