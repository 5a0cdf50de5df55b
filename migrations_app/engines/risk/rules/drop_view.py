from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engines.risk import drops, names
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    for item in statement.node.objects:
        name = names.of_object(item)
        if not session.relation(name).is_existing:
            continue
        again = any(names.of_range(each.node.view) == name for each in drops.later(statement, session, "view_stmt"))
        if again:
            message = f"The view {name} is dropped and made anew: what was granted on it is gone"
            yield Hit(message, name, severity="advice")
        else:
            yield Hit(f"The view {name} is dropped", name)


RULE = Rule(
    id="drop-view",
    severity="hazard",
    nodes=("drop_stmt/OBJECT_VIEW",),
    what="A view that programs may read is dropped.",
    why="Whatever still reads it fails at once. Rows are not lost: a view holds none.",
    safe_way="First release code that no longer reads {table}, then DROP VIEW {table}. To change it, CREATE OR REPLACE"
    " VIEW {table} keeps its privileges, as long as its columns stay and new ones come last.",
    check=check,
)
