from __future__ import annotations

from collections.abc import Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import names
from migrations_app.engines.risk.findings import Hit, Rule, Severity
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    for item in statement.node.objects:
        name = names.of_object(item)
        known = session.facts.sequence(name) if session.facts else None
        if session.made_here("sequence", name) or (session.facts is not None and known is None):
            continue
        values = {"name": names.quoted(name)}
        message = f"DROP SEQUENCE destroys the counter {name}"
        if known is None:
            yield Hit(message, values=values)
            continue
        users = [column for column in known.used_by if not _is_freed(column, statement, session)]
        is_refused = bool(users) and statement.node.behavior != pg.DROP_CASCADE
        evidence = {"last_value": known.last_value, "used_by": users}
        stands = f"It stands at {known.last_value:,}." if known.last_value is not None else "It was never used."
        why = f"{stands} Defaults that call it: {', '.join(users)}." if users else stands
        severity: Severity | None = "advice" if known.last_value is None and not users else None
        fails = "2BP01" if is_refused else None
        yield Hit(message, None, None, why, evidence, severity, values=values, fails=fails)


def _is_freed(used_by: str, statement: Statement, session: Session) -> bool:
    """Whether the input has taken the default that calls it from "column schema.table.name", or the column itself."""
    table, _, column = used_by.rpartition(" ")[2].rpartition(".")
    relation = session.relation(table)
    if relation.is_absent or (column in relation.columns and relation.columns[column].origin is None):
        return True
    for earlier in session.statements[: max(statement.index, 0)]:
        if (
            earlier.node_name == "alter_table_stmt"
            and session.relation(names.of_range(earlier.node.relation)) is relation
        ):
            for item in earlier.node.cmds:
                command = item.alter_table_cmd
                if command.subtype == pg.AT_ColumnDefault and command.name == column:
                    return True
    return False


RULE = Rule(
    id="drop-sequence",
    severity="danger",
    nodes=("drop_stmt/OBJECT_SEQUENCE",),
    what="A sequence is dropped together with its counter.",
    why="Where the counter stood is lost; numbers that were given out may be given out again.",
    safe_way="Make the new sequence first and set it past the old: SELECT setval('the_new', (SELECT last_value FROM"
    " {name}));"
    " drop {name} once nothing calls nextval on it.",
    check=check,
)
