"""What a statement sets off by the triggers that the target has on its table."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from migrations_app.engines.risk import names, nested, overloads, statements
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement
from migrations_app.errors import TidegateError

# As pg_trigger.tgtype has them, and the parse tree of CREATE TRIGGER.
_EVENTS = {"insert_stmt": 4, "delete_stmt": 8, "update_stmt": 16, "truncate_stmt": 32}


def by_triggers(statement: Statement, session: Session) -> Iterator[Statement]:
    """The statements of the trigger functions, without those that cannot be read: every program sets them off, too."""
    event = _EVENTS.get(statement.node_name)
    if event is None or session.facts is None or statement.inside:
        return
    relation = session.relation(names.of_range(statement.node.relation))
    if relation.facts is None or session.setting("session_replication_role") == "replica":
        return
    for trigger in relation.facts.triggers:
        if not trigger.enabled or not events(trigger.definition) & event:
            continue
        for function in session.facts.function(trigger.function):
            made = overloads.created(function.definition)
            if made is not None:
                for part in nested.of_function(made, f"the trigger {trigger.name}", statement, session):
                    if part.node_name != nested.OPAQUE:
                        yield part


@lru_cache(maxsize=256)
def events(definition: str) -> int:
    """The events of a CREATE TRIGGER, as bits; none when it cannot be read."""
    try:
        (statement,) = statements.parse(definition)
    except (TidegateError, ValueError):
        return 0
    return int(statement.node.events)
