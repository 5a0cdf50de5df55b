from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engines.risk import names
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    node = statement.node
    name = names.of_range(node.relation)
    relation = session.relation(name)
    if not relation.is_existing or node.subname in relation.constraints:
        return
    message = f"The constraint {node.subname} of {name} is renamed to {node.newname}"
    yield Hit(message, name, values={"name": names.quoted(node.subname)})


RULE = Rule(
    id="rename-constraint",
    severity="advice",
    nodes=("rename_stmt/OBJECT_TABCONSTRAINT",),
    what="A constraint gets another name.",
    why="INSERT ... ON CONFLICT ON CONSTRAINT, code that tells errors apart by the constraint's name, and revisions not"
    " yet run still use the old one. It needs a brief ACCESS EXCLUSIVE.",
    safe_way="Search the code for {name} first; let ON CONFLICT name the columns and not the constraint.",
    check=check,
)
