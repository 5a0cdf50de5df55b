from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engines.risk import evidence, row_by_row, set_off
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.rows import sweeps
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    if statement.node_name == "@loops":
        for loop in row_by_row.over_all_rows(statement.node, session, "delete_stmt"):
            known = evidence.of_table(loop.relation) | {"rows_changed": loop.changed}
            message = f"upgrade() deletes every row of {loop.relation.name}, one by one"
            yield Hit(message, loop.relation.name, None, evidence.in_words(loop.relation), known)
        return
    if statement.node_name in ("delete_stmt", "merge_stmt"):
        yield from _of(statement, session, statement.kind)
    for part in set_off.by_triggers(statement, session):
        if part.node_name == "delete_stmt":
            yield from _of(part, session, f"{statement.kind} sets off {part.inside}, which")


def _of(statement: Statement, session: Session, who: str) -> Iterator[Hit]:
    for sweep in sweeps.of_statement(statement, session):
        if sweep.action == "delete":
            known = evidence.of_table(sweep.relation)
            message = f"{who} destroys every row of {sweep.name}{sweep.how}"
            yield Hit(message, sweep.name, why=evidence.in_words(sweep.relation), evidence=known)


RULE = Rule(
    id="delete-all-rows",
    severity="danger",
    nodes=("delete_stmt", "merge_stmt", "insert_stmt", "update_stmt", "@loops"),
    what="Every row of a table is deleted: no condition, or one that is true for all rows.",
    why="The rows cannot be brought back; the table is scanned, every row stays locked until the transaction ends,"
    " and foreign keys with ON DELETE CASCADE carry it on.",
    safe_way="Say which rows: DELETE FROM {table} WHERE a real condition, in batches by key, after a copy"
    " (CREATE TABLE {table_name}_kept AS TABLE {table}). If it really is all of them, that needs a person's approval.",
    check=check,
    destroys=True,
)
