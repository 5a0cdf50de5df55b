from __future__ import annotations

from collections.abc import Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import burden, names
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    for item in statement.node.cmds:
        command = getattr(item.alter_table_cmd, "def").partition_cmd
        if item.alter_table_cmd.subtype != pg.AT_AttachPartition or not command.HasField("bound"):
            continue
        child = names.of_range(command.name)
        relation = session.relation(child)
        is_read = any(touch.scan and session.relation(touch.name) is relation for touch in session.touches)
        if is_read and burden.is_felt(relation):
            parent = names.of_range(statement.node.relation)
            message = f"ATTACH PARTITION reads every row of {child}, which nobody can use meanwhile"
            yield burden.hit(child, relation, message, values={"name": names.quoted(parent)})


RULE = Rule(
    id="attach-partition-scan",
    severity="hazard",
    nodes=("AT_AttachPartition",),
    what="A table with rows becomes a partition, and no constraint proves that its rows belong there.",
    why="ACCESS EXCLUSIVE is held on the new partition while all its rows are read, and while indexes that the"
    " partitioned table has and it has not are built. The partitioned table itself goes on being used.",
    safe_way="ALTER TABLE {table} ADD CONSTRAINT {table_name}_bound CHECK (key IS NOT NULL AND key >= ... AND"
    " key < ...) NOT VALID; in the next transaction ALTER TABLE {table} VALIDATE CONSTRAINT {table_name}_bound; build"
    " missing indexes CONCURRENTLY; then ALTER TABLE {name} ATTACH PARTITION {table} reads nothing; then drop the"
    " CHECK.",
    check=check,
)
