from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engines.risk import names
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement

_ADD, _NOT_NULL, _VALIDATE = "C", "O", "V"


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    node = statement.node
    constraint = names.inner(getattr(node, "def"))
    is_checked = node.subtype == _ADD and not constraint.skip_validation
    if not is_checked and node.subtype not in (_NOT_NULL, _VALIDATE):
        return
    name = names.of_strings(node.type_name)
    if session.made_here("type", name):
        return
    domain = session.facts.type_of(name) if session.facts else None
    columns = list(domain.columns) if domain is not None else []
    if session.facts is not None and not columns:
        return
    what = {_ADD: "A new constraint of", _NOT_NULL: "SET NOT NULL on", _VALIDATE: "VALIDATE CONSTRAINT on"}
    message = f"{what[node.subtype]} the domain {name} reads every table with such a column"
    why = f"These columns have it: {', '.join(columns)}." if columns else ""
    yield Hit(message, why=why, evidence={"columns": columns}, values={"name": names.quoted(name)})


RULE = Rule(
    id="alter-domain-scan",
    severity="hazard",
    nodes=("alter_domain_stmt",),
    what="A domain gets stricter, and all columns of it are checked at once.",
    why="SHARE is held on every table with such a column while all their rows are read: every INSERT, UPDATE and DELETE"
    " on any of them waits. VALIDATE CONSTRAINT of a domain takes the same lock, unlike that of a table.",
    safe_way="ALTER DOMAIN {name} ADD CONSTRAINT ... NOT VALID locks no table and holds for new values. For the old"
    " ones add the same CHECK to each table with NOT VALID and VALIDATE it there, which lets writes go on; validate the"
    " domain only where the tables are small.",
    check=check,
)
