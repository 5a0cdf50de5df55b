from __future__ import annotations

from collections.abc import Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import names
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    node = statement.node
    if statement.node_name == "create_stmt":
        if node.HasField("partbound") and node.partbound.is_default:
            parent = names.of_range(node.inh_relations[0].range_var)
            yield _hit(names.of_range(node.relation), parent, session)
        return
    for item in node.cmds:
        command = item.alter_table_cmd
        if command.subtype == pg.AT_AttachPartition:
            partition = getattr(command, "def").partition_cmd
            if partition.bound.is_default:
                yield _hit(names.of_range(partition.name), names.of_range(node.relation), session)


def _hit(name: str, parent: str, session: Session) -> Hit:
    facts = session.relation(parent).facts
    why = f"{parent} is partitioned by {facts.partition_key}." if facts and facts.partition_key else ""
    message = f"{name} takes every row of {parent} that has no partition of its own"
    return Hit(message, name, why=why, values={"name": names.quoted(parent)})


RULE = Rule(
    id="partition-default-growth",
    severity="advice",
    nodes=("create_stmt", "AT_AttachPartition"),
    what="A DEFAULT partition is made.",
    why="It fills unseen once the other partitions end. From then on each new partition locks it (ACCESS EXCLUSIVE) and"
    " reads all of it, and fails (23514) when rows for it are already there.",
    safe_way="Make the partitions of {name} well ahead by a job, and an alarm for SELECT count(*) FROM {table} > 0.",
    check=check,
)
