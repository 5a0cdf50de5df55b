from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:  # noqa: ARG001 - every rule is called alike
    owners = ", ".join(role.role_spec.rolename or "the current role" for role in statement.node.roles)
    yield Hit(f"DROP OWNED destroys everything that {owners} owns in this database")


RULE = Rule(
    id="drop-owned",
    severity="danger",
    nodes=("drop_owned_stmt",),
    what="Everything that a role owns is dropped.",
    why="It names none of the tables that it destroys and takes ACCESS EXCLUSIVE on all of them.",
    safe_way="REASSIGN OWNED BY the_role TO another_role keeps the objects; then drop by name what is really meant.",
    check=check,
    destroys=True,
)
