from __future__ import annotations

from collections.abc import Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import look_ahead, new_table
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    table = new_table.of(statement, session)
    if table is None or table.primary or table.takes_from_others or not table.columns:
        return
    if _gets_key(table.name, statement, session):
        return
    why = ""
    if session.facts is not None:
        everything = [name for name, is_all in session.facts.publications.items() if is_all]
        if everything and statement.node.relation.relpersistence == "p":
            publication = ", ".join(everything)
            why = f"{publication} publishes all tables: every UPDATE and DELETE on {table.name} is refused (55000)."
    yield Hit(f"{table.name} has no primary key", table.name, why=why)


def _gets_key(name: str, statement: Statement, session: Session) -> bool:
    """Whether the input adds one afterwards, as pg_dump does."""
    return any(
        getattr(command, "def").constraint.contype == pg.CONSTR_PRIMARY
        for later in look_ahead.after(name, statement, session)
        for command in look_ahead.commands(later, pg.AT_AddConstraint)
    )


RULE = Rule(
    id="missing-primary-key",
    severity="advice",
    nodes=("create_stmt",),
    what="A new table has no primary key.",
    why="Nothing keeps a row from standing there twice or tells one from another: logical replication cannot follow an"
    " UPDATE or DELETE, online tools and chunked backfills have nothing to go by, and ORMs need one.",
    safe_way="ALTER TABLE {table} ADD COLUMN id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, best in the same"
    " revision while it is empty; or make the columns that tell rows apart the key.",
    check=check,
)
