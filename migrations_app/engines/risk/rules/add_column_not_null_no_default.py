from __future__ import annotations

from collections.abc import Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import evidence, names
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement

_FILLS = {pg.CONSTR_DEFAULT, pg.CONSTR_IDENTITY, pg.CONSTR_GENERATED}
_SERIALS = ("serial", "bigserial", "smallserial")


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    name = names.of_range(statement.node.relation)
    relation = session.relation(name)
    if relation.holds_nothing_old or statement.node.objtype != pg.OBJECT_TABLE:
        return
    for item in statement.node.cmds:
        command = item.alter_table_cmd
        if command.subtype != pg.AT_AddColumn:
            continue
        definition = getattr(command, "def").column_def
        kinds = {constraint.constraint.contype for constraint in definition.constraints}
        is_serial = names.of_strings(definition.type_name.names) in _SERIALS
        if not kinds & {pg.CONSTR_NOTNULL, pg.CONSTR_PRIMARY} or kinds & _FILLS or is_serial:
            continue
        has_rows = relation.facts is not None and relation.facts.has_rows is True
        message = f"{name}.{definition.colname} is added NOT NULL without a default"
        why, known = evidence.in_words(relation), evidence.of_table(relation)
        yield Hit(message, name, definition.colname, why, known, fails="23502" if has_rows else None)


RULE = Rule(
    id="add-column-not-null-no-default",
    severity="hazard",
    nodes=("AT_AddColumn",),
    what="A NOT NULL column without a default is added.",
    why="As soon as the table holds one row PostgreSQL refuses it; Alembic's default= is not a DDL default,"
    " server_default= is.",
    safe_way="ALTER TABLE {table} ADD COLUMN {column} ... DEFAULT a_constant NOT NULL (instant from PostgreSQL 11);"
    " or add it"
    " without NOT NULL, fill it by a chunked backfill, and set NOT NULL through a validated CHECK.",
    check=check,
)
