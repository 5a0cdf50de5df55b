from __future__ import annotations

from collections.abc import Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import drops, names
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    cascades = statement.node.behavior == pg.DROP_CASCADE
    for item in statement.node.objects:
        name = names.of_object(item)
        if session.made_here("type", name):
            continue
        uses = drops.type_uses(name, statement, session)
        if uses is not None:
            yield _known(name, uses, session, cascades=cascades)
        elif session.facts is None and cascades:
            message = f"{statement.kind} {name} CASCADE destroys every column of that type"
            yield Hit(
                message, why="Without a database to ask, which columns those are is not known.", values=_named(name)
            )
        elif session.facts is None:
            was_renamed = drops.original_type(name, statement, session) != name
            why = "PostgreSQL refuses it while a column or a function still uses the type."
            yield Hit(
                f"{statement.kind} removes the type {name}",
                why=why,
                severity="advice" if was_renamed else "hazard",
                values=_named(name),
            )


def _known(name: str, uses: drops.Uses, session: Session, *, cascades: bool) -> Hit:
    used_by = {"used_by": list(uses.all)}
    if not uses.all:
        return Hit(f"The type {name}, which nothing uses, is dropped", severity="advice", values=_named(name))
    why = f"In use by {', '.join(uses.all)}."
    if not cascades:
        message = f"The type {name} is still in use: PostgreSQL refuses to drop it"
        return Hit(message, None, None, why, used_by, "hazard", values=_named(name), fails="2BP01")
    filled = [column for column in uses.columns if _has_values(column, session)]
    if filled:
        message = f"Dropping the type {name} CASCADE destroys {', '.join(filled)}"
        return Hit(message, filled[0].rpartition(".")[0], why=why, evidence=used_by, values=_named(name))
    message = f"Dropping the type {name} CASCADE takes along what uses it"
    return Hit(message, why=why, evidence=used_by, severity="hazard", values=_named(name))


def _has_values(column: str, session: Session) -> bool:
    table, _, name = column.rpartition(".")
    relation = session.relation(table)
    return not relation.holds_nothing_old and relation.column(name).has_values is not False


def _named(name: str) -> dict[str, str]:
    return {"name": names.quoted(name)}


RULE = Rule(
    id="drop-type",
    severity="danger",
    nodes=("drop_stmt/OBJECT_TYPE", "drop_stmt/OBJECT_DOMAIN"),
    what="A type or domain is dropped; with CASCADE every column of that type goes with its values.",
    why="The columns are not named anywhere in the statement, and nothing brings their values back."
    " Each of their tables is locked (ACCESS EXCLUSIVE).",
    safe_way="First give each column another type (ALTER TABLE ... ALTER COLUMN ... TYPE text USING ...::text, on large"
    " tables by a new column and a chunked backfill); then DROP TYPE {name} without CASCADE, which PostgreSQL refuses"
    " while anything still uses it.",
    check=check,
    destroys=True,
)
