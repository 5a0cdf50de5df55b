from __future__ import annotations

from collections.abc import Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import burden, names
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    node = statement.node
    if statement.node_name == "alter_table_move_all_stmt":
        yield Hit(f"Everything in the tablespace {node.orig_tablespacename} is copied to {node.new_tablespacename}")
        return
    name = names.of_range(node.relation)
    is_index = node.objtype == pg.OBJECT_INDEX
    relation = session.index_table(name) if is_index else session.relation(name)
    spaces = [c.alter_table_cmd.name for c in node.cmds if c.alter_table_cmd.subtype == pg.AT_SetTableSpace]
    if relation is None or not burden.is_felt(relation) or session.made_here("index" if is_index else "", name):
        return
    if relation.is_partitioned and not is_index:
        # Says only where new partitions go.
        return
    for space in spaces:
        yield burden.hit(relation.name, relation, f"{name} is copied to the tablespace {space}")


RULE = Rule(
    id="set-tablespace",
    severity="hazard",
    nodes=("AT_SetTableSpace", "alter_table_move_all_stmt"),
    what="A table or an index is moved to another tablespace.",
    why="ACCESS EXCLUSIVE is held while all of it is copied: nobody reads or writes it.",
    safe_way="For an index: REINDEX (CONCURRENTLY, TABLESPACE ...) INDEX ... (PostgreSQL 14+), outside of a"
    " transaction. For {table}: pg_repack --tablespace, which locks it only to swap; or make new partitions there.",
    check=check,
)
