from __future__ import annotations

from collections.abc import Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import names
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    if statement.node.remove_type != pg.OBJECT_SEQUENCE:
        return
    for item in statement.node.objects:
        name = names.of_object(item)
        if not session.made_here("sequence", name):
            yield Hit(f"DROP SEQUENCE destroys the counter {name}", values={"name": names.quoted(name)})


RULE = Rule(
    id="drop-sequence",
    severity="danger",
    nodes=("drop_stmt",),
    what="A sequence is dropped together with its counter.",
    why="Where the counter stood is lost; numbers that were given out may be given out again.",
    safe_way="Make the new sequence first and set it past the old: SELECT setval('the_new', (SELECT last_value FROM"
    " {name}));"
    " drop {name} once nothing calls nextval on it.",
    check=check,
)
