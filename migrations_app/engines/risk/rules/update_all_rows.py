from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engines.risk import evidence, row_by_row
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.rows import sweeps
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    if statement.node_name == "@loops":
        for loop in row_by_row.over_all_rows(statement.node, session, "update_stmt"):
            known = evidence.of_table(loop.relation) | {"rows_changed": loop.changed}
            message = f"upgrade() overwrites {', '.join(loop.columns)} in every row of {loop.relation.name}, one by one"
            yield Hit(message, loop.relation.name, None, evidence.in_words(loop.relation), known)
        return
    for sweep in sweeps.of_statement(statement, session):
        if sweep.action != "update":
            continue
        lost = [each.name for each in sweep.targets if sweeps.overwrites(each, sweep.relation, sweep.alias)]
        known = evidence.of_table(sweep.relation) | {"columns": lost}
        if lost:
            message = f"{statement.kind} overwrites {', '.join(lost)} in every row of {sweep.name}{sweep.how}"
            yield Hit(message, sweep.name, lost[0], evidence.in_words(sweep.relation), known)


RULE = Rule(
    id="update-all-rows",
    severity="danger",
    nodes=("update_stmt", "merge_stmt", "@loops"),
    what="A column is overwritten in every row: no condition, or one that is true for all rows.",
    why="The old values cannot be brought back; every row is written anew and stays locked until the commit.",
    safe_way="Write into a new column instead (ALTER TABLE {table} ADD COLUMN {column}_new ...), fill it by a chunked"
    " backfill, and drop {column} one release later; or add a condition that says which rows are wrong.",
    check=check,
    destroys=True,
)
