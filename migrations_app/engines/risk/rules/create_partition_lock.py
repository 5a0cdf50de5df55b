from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engines.risk import burden, names
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    node = statement.node
    if not node.HasField("partbound"):
        return
    name = names.of_range(node.relation)
    if node.if_not_exists and session.relation(name).facts is not None:
        return
    for item in node.inh_relations:
        parent = names.of_range(item.range_var)
        relation = session.relation(parent)
        if burden.is_felt(relation):
            message = f"CREATE TABLE {name} PARTITION OF {parent} locks {parent} for everybody"
            yield burden.hit(parent, relation, message, values={"name": names.quoted(name)})


RULE = Rule(
    id="create-partition-lock",
    severity="hazard",
    nodes=("create_stmt",),
    what="A partition is made in place.",
    why="ACCESS EXCLUSIVE is taken on the partitioned table, briefly, but it waits behind every open transaction and"
    " everybody waits behind it. ATTACH PARTITION takes a lock that readers and writers do not feel.",
    safe_way="CREATE TABLE {name} (LIKE {table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS); then ALTER TABLE {table}"
    " ATTACH PARTITION {name} FOR VALUES ....",
    check=check,
)
