from __future__ import annotations

from collections.abc import Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import names
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement

_HOLDS_DATA = ("column ", "table ", "materialized view ", "index ")


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    cascades = statement.node.behavior == pg.DROP_CASCADE
    for item in statement.node.objects:
        name = names.of_object(item)
        if session.made_here("extension", name):
            continue
        values = {"name": names.quoted(name)}
        message = f"DROP EXTENSION removes {name} with its types, functions and operators"
        if session.facts is None:
            why = "Without a database to ask, what stands on the extension is not known."
            also = f"{message}, and by CASCADE every column and index that uses them" if cascades else message
            yield Hit(also, why=why, severity=None if cascades else "hazard", values=values)
            continue
        uses = session.facts.extensions.get(name)
        if uses is None:
            continue
        evidence, why = {"used_by": list(uses)}, f"In use by {', '.join(uses)}." if uses else ""
        if uses and not cascades:
            message = f"The extension {name} is still in use: PostgreSQL refuses to drop it"
            yield Hit(message, why=why, evidence=evidence, severity="hazard", values=values, fails="2BP01")
        elif any(used.startswith(_HOLDS_DATA) for used in uses):
            yield Hit(f"{message}, and what uses them: {', '.join(uses)}", why=why, evidence=evidence, values=values)
        else:
            yield Hit(message, why=why, evidence=evidence, severity="hazard", values=values)


RULE = Rule(
    id="drop-extension",
    severity="danger",
    nodes=("drop_stmt/OBJECT_EXTENSION",),
    what="An extension is dropped; with CASCADE columns of its types and indexes of its operators go with it.",
    why="Functions that call it fail from then on, and a column that goes cannot be brought back.",
    safe_way="First move what uses it: columns to another type, indexes to another operator class, functions to their"
    " own code; then DROP EXTENSION {name} without CASCADE, which PostgreSQL refuses while anything still uses it.",
    check=check,
    destroys=True,
)
