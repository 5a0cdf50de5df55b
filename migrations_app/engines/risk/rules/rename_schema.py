from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engines.risk import names
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    node = statement.node
    if session.made_here("schema", node.subname):
        return
    inside = session.facts.schemas.get(node.subname) if session.facts else None
    if session.facts is not None and not inside:
        # Not there, or empty.
        return
    why = f"It holds {', '.join(inside[:10])}{' and more' if len(inside) > 10 else ''}." if inside else ""
    values = {"name": names.quoted(node.subname)}
    yield Hit(f"The schema {node.subname} is renamed to {node.newname}", why=why, values=values)


RULE = Rule(
    id="rename-schema",
    severity="hazard",
    nodes=("rename_stmt/OBJECT_SCHEMA",),
    what="A schema that running code uses gets another name.",
    why="Every name in it changes at once: qualified names in code, each search_path that lists it, and bodies of"
    " functions still mean the old one.",
    safe_way="CREATE SCHEMA the new name with a view of each table, let the code move over to it, and only then move"
    " the tables one by one: ALTER TABLE ... SET SCHEMA, with a view under the old name in the same transaction.",
    check=check,
)
