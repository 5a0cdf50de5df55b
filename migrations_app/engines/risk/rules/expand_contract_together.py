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
    added: dict[object, int] = {}
    dropped: dict[object, int] = {}
    for operation, call in revision_source.operations(revision, "upgrade"):
        into = {"add_column": added, "drop_column": dropped}.get(operation)
        if into is not None:
            into[_table(call)] = call.lineno
    for table in added.keys() & dropped.keys():
        if isinstance(table, str):
            message = f"The revision adds a column to {table} and drops another one of it"
            yield Hit(message, table, line=dropped[table])


def _table(call: ast.Call) -> object:
    return revision_source.literal(call.args[0]) if call.args else None


RULE = Rule(
    id="expand-contract-together",
    severity="advice",
    nodes=("@revision",),
    what="New and old are swapped in one step.",
    why="While it is rolled out, old and new code run side by side: whichever of the two columns is missing, one of"
    " them fails. There is no moment at which both work.",
    safe_way="Three revisions, one release apart: add the new column and write both; fill it (a backfill); when"
    " nothing reads the old one any more, drop it.",
    check=check,
)
