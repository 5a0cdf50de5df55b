from __future__ import annotations

from collections.abc import Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import names
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    node = statement.node
    if node.remove_type != pg.OBJECT_SCHEMA:
        return
    for item in node.objects:
        schema = names.of_object(item)
        if session.made_here("schema", schema):
            continue
        if node.behavior != pg.DROP_CASCADE:
            # Without CASCADE PostgreSQL refuses as soon as one object is inside.
            yield Hit(f"DROP SCHEMA removes the schema {schema}, if it is empty", severity="advice")
            continue
        inside = session.facts.in_schema(schema) if session.facts else ()
        holding = [table for table in inside if table.has_rows is not False]
        is_complete = session.facts is not None and session.facts.asked is None
        evidence = {"tables": len(inside), "tables_with_rows": len(holding)} if is_complete or inside else {}
        if is_complete and not holding:
            yield Hit(f"DROP SCHEMA removes {schema}, whose tables are empty", evidence=evidence, severity="advice")
            continue
        why = f"Tables with rows: {', '.join(table.name for table in holding[:5])}." if holding else ""
        message = f"DROP SCHEMA destroys everything inside {schema}"
        yield Hit(message, why=why, evidence=evidence, values={"name": names.quoted(schema)})


RULE = Rule(
    id="drop-schema",
    severity="danger",
    nodes=("drop_stmt",),
    what="A schema is dropped with all that is in it.",
    why="CASCADE names none of the tables that it destroys, and takes ACCESS EXCLUSIVE on all of them.",
    safe_way="Drop or move what is inside by name, each after its own check, then DROP SCHEMA {name} without CASCADE.",
    check=check,
    destroys=True,
)
