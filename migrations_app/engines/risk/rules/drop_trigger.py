from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engines.risk import drops, names
from migrations_app.engines.risk.effects import on_table
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    for item in statement.node.objects:
        table, _, name = names.of_object(item).rpartition(".")
        relation = session.relation(table)
        if not relation.is_existing or session.made_here("trigger", on_table(name, table)):
            continue
        known = None
        if relation.facts is not None:
            known = next((trigger for trigger in relation.facts.triggers if trigger.name == name), None)
            if known is None:
                continue
        evidence = {"definition": known.definition} if known else {}
        again = any(
            each.node.trigname == name and names.of_range(each.node.relation) == table
            for each in drops.later(statement, session, "create_trig_stmt")
        )
        if again:
            message = f"The trigger {name} of {table} is dropped and made anew"
            yield Hit(message, table, evidence=evidence, severity="advice", values={"name": names.quoted(name)})
        else:
            message = f"The trigger {name} of {table} is dropped: what it did no longer happens"
            yield Hit(message, table, evidence=evidence, values={"name": names.quoted(name)})


RULE = Rule(
    id="drop-trigger",
    severity="hazard",
    nodes=("drop_stmt/OBJECT_TRIGGER",),
    what="A trigger is dropped.",
    why="Whatever it kept up (a copy, a history, a check) stops at once and in silence; it takes a brief ACCESS"
    " EXCLUSIVE on the table, which waits for every open transaction.",
    safe_way="Make sure that nothing needs it any more; SET LOCAL lock_timeout = '2s' before DROP TRIGGER {name} ON"
    " {table}. To change it, CREATE OR REPLACE TRIGGER {name} (PostgreSQL 14 and later) leaves no moment without it.",
    check=check,
)
