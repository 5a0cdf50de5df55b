from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engines.risk import evidence, sweeps
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.names import Node, inner, of_strings
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement
from migrations_app.engines.risk.sweeps import Sweep


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    for sweep in sweeps.of_statement(statement, session):
        if sweep.action != "update":
            continue
        lost = [target.name for target in sweep.targets if _overwrites(target, sweep)]
        known = evidence.of_table(sweep.relation) | {"columns": lost}
        if lost:
            message = f"{statement.kind} overwrites {', '.join(lost)} in every row of {sweep.name}{sweep.how}"
            yield Hit(message, sweep.name, lost[0], evidence.in_words(sweep.relation), known)


def _overwrites(target: Node, sweep: Sweep) -> bool:
    """Whether values that existed before this input are replaced: not in a new column, not by COALESCE(itself, ...)."""
    column = sweep.relation.column(target.name)
    if column.has_values is False or (column.origin is None and not sweep.relation.took_in):
        return False
    value = inner(target.val)
    if value.DESCRIPTOR.name == "CoalesceExpr":
        value = inner(value.args[0])
    own = (target.name, f"{sweep.alias}.{target.name}")
    return not (value.DESCRIPTOR.name == "ColumnRef" and of_strings(value.fields) in own)


RULE = Rule(
    id="update-all-rows",
    severity="danger",
    nodes=("update_stmt", "merge_stmt"),
    what="A column is overwritten in every row: no condition, or one that is true for all rows.",
    why="The old values cannot be brought back; every row is written anew and stays locked until the commit.",
    safe_way="Write into a new column instead (ALTER TABLE {table} ADD COLUMN {column}_new ...), fill it by a chunked"
    " backfill, and drop {column} one release later; or add a condition that says which rows are wrong.",
    check=check,
    destroys=True,
)
