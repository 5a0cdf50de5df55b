from __future__ import annotations

from collections.abc import Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import names
from migrations_app.engines.risk.findings import Hit, Rule, Severity
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    for item in statement.node.objects:
        schema = names.of_object(item)
        if session.made_here("schema", schema):
            continue
        values = {"name": names.quoted(schema)}
        found = session.facts.schemas.get(schema) if session.facts else None
        if found is not None:
            yield _known(schema, [words for words in found if _is_there(words, session)], statement, session)
        elif session.facts is not None and f"{schema}.*" in (session.facts.asked or ()):
            continue
        elif statement.node.behavior == pg.DROP_CASCADE:
            yield Hit(f"DROP SCHEMA destroys everything inside {schema}", values=values)
        else:
            # Without CASCADE PostgreSQL refuses as soon as one object is inside.
            yield Hit(f"DROP SCHEMA removes the schema {schema}, if it is empty", severity="advice", values=values)


def _known(schema: str, inside: list[str], statement: Statement, session: Session) -> Hit:
    tables = [session.relation(table.qualified) for table in (session.facts.in_schema(schema) if session.facts else ())]
    holding = [table.name for table in tables if not table.holds_nothing_old]
    evidence = {"objects": len(inside), "tables_with_rows": len(holding)}
    values = {"name": names.quoted(schema)}
    is_refused = bool(inside) and statement.node.behavior != pg.DROP_CASCADE
    if is_refused:
        message = f"PostgreSQL refuses to drop {schema} without CASCADE: it holds {', '.join(inside[:5])}"
    elif not holding:
        message = f"DROP SCHEMA removes {schema}, in which no table holds a row"
    else:
        message = f"DROP SCHEMA destroys everything inside {schema}"
    why = f"Tables with rows: {', '.join(holding[:5])}." if holding else ""
    severity: Severity = "danger" if holding else "hazard" if is_refused else "advice"
    return Hit(message, None, None, why, evidence, severity, values=values, fails="2BP01" if is_refused else None)


def _is_there(words: str, session: Session) -> bool:
    """Whether the input has not dropped or moved away what the catalog found in the schema."""
    kind, _, name = words.partition(" ")
    if kind == "sequence":
        known = session.facts.sequence(name) if session.facts else None
        return (
            known is None or known.owned_by is None or _is_there(f"table {known.owned_by.rpartition('.')[0]}", session)
        )
    return kind not in ("table", "view") or not session.relation(name).is_absent


RULE = Rule(
    id="drop-schema",
    severity="danger",
    nodes=("drop_stmt/OBJECT_SCHEMA",),
    what="A schema is dropped with all that is in it.",
    why="CASCADE names none of the tables that it destroys, and takes ACCESS EXCLUSIVE on all of them.",
    safe_way="Drop or move what is inside by name, each after its own check, then DROP SCHEMA {name} without CASCADE.",
    check=check,
    destroys=True,
)
