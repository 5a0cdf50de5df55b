from __future__ import annotations

from collections.abc import Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import names, new_table
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
    return any(
        later.node_name == "alter_table_stmt"
        and names.of_range(later.node.relation) in (name, session.qualified(name))
        and any(item.alter_table_cmd.subtype == pg.AT_EnableRowSecurity for item in later.node.cmds)
        for later in session.statements[statement.index + 1 :]
    )


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
