from __future__ import annotations

from collections.abc import Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import burden, names
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.names import Node
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement

_OFF = ("false", "off", "no", "0", "f", "n")
_OPTION = "autovacuum_enabled"


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    for at in burden.subcommands(statement, session, pg.AT_SetRelOptions):
        if _turns(at.command) == "off" and not _is_turned_on_later(statement, at.name, session):
            yield burden.hit(at.name, at.relation, f"Autovacuum is switched off for {at.name}", severity="hazard")


def _turns(command: Node) -> str | None:
    """Whether a subcommand switches autovacuum "on" or "off"; None when it does neither."""
    for item in getattr(command, "def").list.items:
        if item.def_elem.defname == _OPTION:
            if command.subtype == pg.AT_ResetRelOptions or not item.def_elem.HasField("arg"):
                return "on"
            return "off" if _text(item.def_elem.arg).lower() in _OFF else "on"
    return None


def _text(value: Node) -> str:
    node = names.inner(value)
    if node.DESCRIPTOR.name == "TypeName":
        return names.of_strings(node.names)
    return str(
        {"String": getattr(node, "sval", ""), "Integer": getattr(node, "ival", "")}.get(node.DESCRIPTOR.name, "")
    )


def _is_turned_on_later(statement: Statement, table: str, session: Session) -> bool:
    later = session.statements[statement.index + 1 :]
    commands = (
        item.alter_table_cmd
        for each in later
        if each.node_name == "alter_table_stmt" and names.of_range(each.node.relation) == table
        for item in each.node.cmds
    )
    return any(_turns(command) == "on" for command in commands)


RULE = Rule(
    id="autovacuum-disabled",
    severity="hazard",
    nodes=("AT_SetRelOptions",),
    what="Autovacuum is switched off for a table and not on again.",
    why="Dead rows pile up and statistics grow stale until queries get slow; in the end an aggressive vacuum against"
    " wraparound comes at the worst moment.",
    safe_way="Leave it on. If it must pause for a backfill: ALTER TABLE {table} RESET (autovacuum_enabled) and VACUUM"
    " (ANALYZE) {table} in the same plan. To spare I/O tune autovacuum_vacuum_cost_delay instead.",
    check=check,
)
