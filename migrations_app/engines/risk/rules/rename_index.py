from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engines.risk import names
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    node = statement.node
    index = names.of_range(node.relation)
    table = session.index_table(index)
    if session.made_here("index", index) or (table is not None and not table.is_existing):
        return
    if session.facts is not None and table is None:
        return
    facts = table.facts if table else None
    is_key = facts is not None and any(key.index == names.bare(index) for key in facts.constraints)
    why = "It carries a constraint, which is renamed with it." if is_key else ""
    name = table.name if table else None
    message = f"The index {index} is renamed to {node.newname}"
    yield Hit(message, name, why=why, values={"name": names.quoted(index)})


RULE = Rule(
    id="rename-index",
    severity="advice",
    nodes=("rename_stmt/OBJECT_INDEX",),
    what="An index gets another name.",
    why="Queries do not name indexes, but revisions not yet run, hints (pg_hint_plan) and dashboards may; a unique"
    " index is named in the errors that code may look at.",
    safe_way="Search the code and the later revisions for {name}. It takes SHARE UPDATE EXCLUSIVE only, which reads and"
    " writes do not wait for.",
    check=check,
)
