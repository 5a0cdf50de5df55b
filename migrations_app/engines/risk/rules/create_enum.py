from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engines.risk import names
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement

_SHOWN = 6


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    name = names.of_strings(statement.node.type_name)
    if session.facts is not None and session.facts.type_of(name) is not None and not session.made_here("type", name):
        return
    if _replaces_one(name, statement, session):
        return
    labels = [item.string.sval for item in statement.node.vals]
    listed = ", ".join("'" + label.replace("'", "''") + "'" for label in labels[:_SHOWN])
    message = f"The enum {name} is made with {len(labels)} labels, none of which can be taken back"
    values = {"name": listed + (", ..." if len(labels) > _SHOWN else "")}
    yield Hit(message, values=values)


def _replaces_one(name: str, statement: Statement, session: Session) -> bool:
    """Whether this is the second half of taking a label away: the old type was renamed or dropped before."""
    return any(
        each.node_name in ("rename_stmt", "drop_stmt") and names.bare(name) in each.sql
        for each in session.statements[: max(statement.index, 0)]
    )


RULE = Rule(
    id="create-enum",
    severity="advice",
    nodes=("create_enum_stmt",),
    what="An enum type is made.",
    why="Labels can be added and renamed, but not removed or put in another order: that takes a new type and a rewrite"
    " of every table that uses it. A new label cannot be used in the transaction that adds it.",
    safe_way="Where the list may shrink, use a text column with CHECK (... IN ({name})), added NOT VALID and validated"
    " when it changes, or a table of values with a foreign key.",
    check=check,
)
