from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engines.risk import burden, names
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    for parent in _parents(statement):
        facts = session.relation(parent).facts
        if facts is None or facts.default_partition is None:
            continue
        default = session.relation(facts.default_partition)
        is_read = any(touch.scan and session.relation(touch.name) is default for touch in session.touches)
        if is_read and burden.is_felt(default):
            name = facts.default_partition
            message = (
                f"The new partition of {parent} makes PostgreSQL read all of {name}, which nobody can use meanwhile"
            )
            yield burden.hit(name, default, message)


def _parents(statement: Statement) -> list[str]:
    node = statement.node
    if statement.node_name == "create_stmt":
        return [names.of_range(item.range_var) for item in node.inh_relations] if node.HasField("partbound") else []
    return [names.of_range(node.relation)]


RULE = Rule(
    id="default-partition-scan",
    severity="hazard",
    nodes=("create_stmt", "AT_AttachPartition"),
    what="A partition is added beside a default partition that holds rows.",
    why="PostgreSQL looks whether one of the default partition's rows belongs into the new one: ACCESS EXCLUSIVE is"
    " held on it while all of them are read. One such row makes the statement fail.",
    safe_way="ALTER TABLE {table} ADD CONSTRAINT {table_name}_outside CHECK (key < ... OR key >= ...) NOT VALID, which"
    " leaves the new range out; in the next transaction ALTER TABLE {table} VALIDATE CONSTRAINT {table_name}_outside;"
    " then the new partition needs no scan; then drop the CHECK.",
    check=check,
)
