from __future__ import annotations

from collections.abc import Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import look_ahead, new_table
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    table = new_table.of(statement, session)
    if table is None or session.facts is None or statement.node.HasField("partbound"):
        return
    schema = session.qualified(table.name).rpartition(".")[0]
    known = [each for each in session.facts.in_schema(schema) if each.kind in ("table", "partitioned")]
    guarded = [each.qualified for each in known if each.rls_enabled]
    if not guarded or len(guarded) * 2 < len(known) or _is_enabled(table.name, statement, session):
        return
    message = f"Row level security is not enabled on {table.name}, as it is on other tables in {schema}"
    yield Hit(message, table.name, why=f"It is on {', '.join(guarded[:5])}.", evidence={"guarded": guarded})


def _is_enabled(name: str, statement: Statement, session: Session) -> bool:
    later = look_ahead.after(name, statement, session)
    return any(any(look_ahead.commands(each, pg.AT_EnableRowSecurity)) for each in later)


RULE = Rule(
    id="rls-missing",
    severity="advice",
    nodes=("create_stmt",),
    what="A new table is open where others have row level security.",
    why="Every role with privileges on it sees and changes all of its rows; behind an API that speaks SQL for its users"
    " that is everybody.",
    safe_way="In the same revision: CREATE POLICY ... ON {table} ...; ALTER TABLE {table} ENABLE ROW LEVEL SECURITY.",
    check=check,
)
