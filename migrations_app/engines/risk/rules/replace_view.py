from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engines.risk import names
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    node = statement.node
    name = names.of_range(node.view)
    view = session.relation(name)
    key = f"{RULE.id} {session.qualified(name)}"
    is_first = key not in session.told
    session.told.add(key)
    if not is_first or not node.replace or not view.is_view or not view.is_existing:
        return
    kept = {option.def_elem.defname for option in node.options}
    lost = [option for option in (view.facts.options if view.facts else ()) if option.partition("=")[0] not in kept]
    why = f"Its options are lost: {', '.join(lost)}." if lost else ""
    yield Hit(f"The view {name} is replaced", name, why=why, evidence={"lost_options": lost} if lost else {})


RULE = Rule(
    id="replace-view",
    severity="advice",
    nodes=("view_stmt",),
    what="A view that is in use gets another query.",
    why="Whoever reads it sees the new rows and columns from the commit on, and statements prepared before fail once."
    " Options that are not said again (security_barrier, security_invoker, check_option) are lost; privileges stay.",
    safe_way="Keep the old query where the downgrade finds it, say the options of {table} again in WITH (...), and put"
    " new columns last: PostgreSQL refuses any other change of the old ones.",
    check=check,
)
