from __future__ import annotations

from collections.abc import Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import names
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.names import inner
from migrations_app.engines.risk.session import Relation, Session
from migrations_app.engines.risk.statements import Statement

_ALL = {pg.AT_DisableTrigAll: "all triggers", pg.AT_DisableTrigUser: "all triggers of users"}
_ONE = {pg.AT_DisableTrig: "trigger", pg.AT_EnableReplicaTrig: "trigger", pg.AT_DisableRule: "rule"}


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    if statement.node_name == "alter_table_stmt":
        yield from _of_table(statement, session)
    elif statement.node_name == "alter_event_trig_stmt":
        if statement.node.tgenabled == "D":
            yield Hit(f"The event trigger {statement.node.trigname} is switched off")
    elif _is_replica(statement):
        message = "session_replication_role = replica: no trigger fires and no foreign key is checked in this session"
        yield Hit(message, safe_way="Leave session_replication_role alone; write in an order in which the foreign keys"
                  " hold, or make them DEFERRABLE and SET CONSTRAINTS ALL DEFERRED.")  # fmt: skip


def _of_table(statement: Statement, session: Session) -> Iterator[Hit]:
    name = names.of_range(statement.node.relation)
    relation = session.relation(name)
    if not relation.is_existing:
        return
    for item in statement.node.cmds:
        command = item.alter_table_cmd
        if what := _ALL.get(command.subtype):
            is_idle = _has_none(relation, with_keys=command.subtype == pg.AT_DisableTrigAll)
            also = ", the checks of its foreign keys too" if command.subtype == pg.AT_DisableTrigAll else ""
            yield Hit(
                f"{what} of {name} are switched off{also}".capitalize(), name, severity="advice" if is_idle else None
            )
        elif kind := _ONE.get(command.subtype):
            if kind == "trigger" and relation.facts and command.name not in {t.name for t in relation.facts.triggers}:
                continue
            yield Hit(f"The {kind} {command.name} of {name} is switched off", name, values={"name": command.name})


def _has_none(relation: Relation, *, with_keys: bool) -> bool:
    """Whether the catalog shows that there is nothing to switch off."""
    if relation.facts is None or relation.facts.triggers:
        return False
    keys = any(constraint.references for constraint in relation.known_constraints()) or relation.facts.referenced_by
    return not (with_keys and keys)


def _is_replica(statement: Statement) -> bool:
    """SET in its spellings, and set_config()."""
    node = statement.node
    if statement.node_name == "variable_set_stmt":
        values = [inner(argument).sval.sval for argument in node.args if argument.WhichOneof("node") == "a_const"]
        return node.name.lower() == "session_replication_role" and [v.lower() for v in values] == ["replica"]
    for target in node.target_list:
        call = inner(target.res_target.val)
        if call.DESCRIPTOR.name == "FuncCall" and names.bare(names.of_strings(call.funcname)) == "set_config":
            given = [argument.a_const.sval.sval.lower() for argument in call.args]
            if given[:2] == ["session_replication_role", "replica"]:
                return True
    return False


RULE = Rule(
    id="disable-trigger",
    severity="hazard",
    nodes=(
        *(f"AT_{kind}" for kind in ("DisableTrig", "DisableTrigAll", "DisableTrigUser", "EnableReplicaTrig")),
        "AT_DisableRule",
        "alter_event_trig_stmt",
        "variable_set_stmt",
        "select_stmt",
    ),
    what="Triggers are switched off, and with them what they keep up: copies, histories, foreign keys.",
    why="Rows that are written meanwhile break what the triggers guaranteed, and nothing looks at them again later;"
    " everybody's writes are affected, not only this session's. Others wait for the lock (SHARE ROW EXCLUSIVE).",
    safe_way="In the same transaction: ALTER TABLE {table} DISABLE TRIGGER {name} (never ALL), the change, ALTER TABLE"
    " {table} ENABLE TRIGGER {name}; then check the rows that were written, and each foreign key by dropping it and"
    " adding it again NOT VALID with a VALIDATE CONSTRAINT of its own.",
    check=check,
)
